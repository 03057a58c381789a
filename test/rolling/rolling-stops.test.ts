import { afterEach, expect, test } from 'vitest';
import { BusyWorld } from '../support/busy-world.ts';
import { chooseSeed } from '../support/random.ts';
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

test(
  `three replicas are stopped and started in turn, rounds: ${rounds}, under load: no request fails, nothing is lost, nothing is done twice`,
  async () => {
    const busy = (world = await BusyWorld.start(chooseSeed('rolling stops'), { SHUTDOWN_GRACE: '2s' }));
    const { fleet, clients } = busy;
    for (let round = 0; round < rounds; round += 1) {
      for (const index of fleet.urls.keys()) {
        await busy.serves(index);
        expect(await fleet.end(index, 'SIGTERM')).toEqual({ code: 0, signal: null });
        await fleet.start(index);
      }
    }
    for (const index of fleet.urls.keys()) await busy.serves(index);
    const run = await clients.end();
    expect(run.failures).toEqual({});
    expect(run.unansweredBecause).toEqual([]);
    expect(await caughtUp(busy)).toBeLessThan(catchUpMsMax);
    expect(await settled(busy)).toMatchObject({ givenUp: 0 });
    expect(await auditWorld(busy, run)).toEqual(faultless);
    await expectBusy(busy, run);
    expect(await fleet.errors()).toEqual([]);
  },
  roundsMsMax,
);
