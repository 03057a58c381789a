import { afterEach, expect, test } from 'vitest';
import { BusyWorld } from '../support/busy-world.ts';
import { chooseSeed, Random } from '../support/random.ts';
import { rounds, roundsMsMax } from '../support/rounds.ts';
import {
  auditWorld,
  catchUpMsMax,
  caughtUp,
  expectBusy,
  faultless,
  settled,
} from '../support/world-audit.ts';

let world: BusyWorld | undefined;

afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') process.stderr.write((await world?.fleet.log()) ?? '');
  await world?.remove();
});

const killed = { code: null, signal: 'SIGKILL' };

test(
  `replicas are killed at random moments, rounds: ${rounds}, under load: nothing is lost, nothing is done twice, and consumers catch up within ten seconds`,
  async () => {
    const seed = chooseSeed('rolling kills');
    const random = new Random(seed);
    const busy = (world = await BusyWorld.start(seed));
    const { fleet, clients } = busy;
    for (let round = 0; round < rounds; round += 1) {
      for (const index of fleet.urls.keys()) {
        await busy.serves(index, random.between(1, 80));
        const victims = random.chance(0.3) ? [index, (index + 1) % fleet.urls.length] : [index];
        await Promise.all(
          victims.map(async (victim) => {
            expect(await fleet.end(victim, 'SIGKILL')).toEqual(killed);
            await fleet.start(victim);
          }),
        );
      }
    }
    // The last one has most to hand over, and is not there when the others catch up.
    await busy.serves(0);
    const last = (await busy.workerOf('rewards')) ?? 0;
    expect(await fleet.end(last, 'SIGKILL')).toEqual(killed);
    const run = await clients.end();
    expect(await caughtUp(busy)).toBeLessThan(catchUpMsMax);
    await fleet.start(last);
    expect(await settled(busy)).toMatchObject({ givenUp: 0 });
    expect(await auditWorld(busy, run)).toEqual(faultless);
    await expectBusy(busy, run);
    // They were hit in full flow: requests that they had taken were never answered.
    expect(run.unanswered).toBeGreaterThan(0);
  },
  roundsMsMax,
);
