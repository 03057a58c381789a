import { afterEach, beforeEach, expect, test } from 'vitest';
import { ConsumerWorld, recording } from '../../test/support/consumer-world.ts';
import { Gate } from '../../test/support/gate.ts';
import { query } from '../../test/support/query.ts';
import { unlockedCursors } from '../../test/support/unlocked-cursors.ts';
import { until } from '../../test/support/until.ts';
import { sleepUntil } from './sleep-until.ts';

let world: ConsumerWorld;

beforeEach(async () => {
  world = await ConsumerWorld.start();
});

afterEach(async () => {
  await world.close();
});

test('three replicas work one consumer: each operation once, in the order of the feed', async () => {
  let working = 0;
  let together = 0;
  const consumer = recording(async () => {
    working += 1;
    together = Math.max(together, working);
    await new Promise(setImmediate);
    working -= 1;
  });
  const before = await world.operate(10);
  for (const name of ['a', 'b', 'c']) world.replica(name).work(consumer);
  const ids = [...before, ...(await world.operate(30))];
  await world.allRecorded(ids);
  await until('the cursor is at the end', async () => (await world.position()) === ids.length);
  expect(await world.recorded()).toEqual(ids);
  expect(together).toBe(1);
});

test('without the lock, two replicas do the same twice', async () => {
  const both = new Gate();
  let working = 0;
  const consumer = recording(async () => {
    working += 1;
    if (working === 2) both.open();
    await both.opened;
  });
  const ids = await world.operate(3);
  for (const name of ['a', 'b']) {
    const replica = world.replica(name);
    replica.work(consumer, { cursors: unlockedCursors(replica.repository, world.url) });
  }
  await until('both were through', async () => (await world.recorded()).length === 2 * ids.length);
  expect((await world.recorded()).toSorted()).toEqual([...ids, ...ids].toSorted());
});

test('a turn that is lost is no turn: another replica takes over and does it all', async () => {
  const [entered, goOn] = [new Gate(), new Gate()];
  const hung = world.replica('hung');
  const ids = await world.operate(4);
  hung.work(
    recording(async () => {
      entered.open();
      await goOn.opened;
    }),
  );
  await entered.opened;
  const heir = world.replica('heir');
  heir.work(recording());
  expect(await world.recorded()).toEqual([]);
  // What happens to the connections of a process that is killed.
  await query(
    world.url,
    `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'hung' and datname = current_database()`,
  );
  await world.allRecorded(ids);
  expect(await world.recorded()).toEqual(ids);
  const [report] = await heir.repository.consumers.list();
  expect(report).toMatchObject({
    name: 'recording',
    owner: 'heir',
    lag: 0,
    behindMs: 0,
    parked: 0,
    error: null,
  });
  // It knows nothing of that: what it would keep now comes too late.
  goOn.open();
  await until('it was told', () => hung.warnings.length > 0);
  expect(await world.recorded()).toEqual(ids);
});

test('a consumer that has nothing to do passes by unread, and one that begins at the end has no past', async () => {
  await world.operate(5);
  let wanted = false;
  const replica = world.replica('a');
  const consumer = recording();
  replica.work({ ...consumer, prepare: async () => (wanted ? await consumer.prepare() : null) });
  await until('all has passed', async () => (await world.position()) === 5);
  wanted = true;
  const ids = await world.operate(2);
  await world.allRecorded(ids);
  expect(await world.recorded()).toEqual(ids);
  await replica.repository.consumers.ensure('late', 'end');
  await replica.repository.consumers.ensure('late', 'beginning');
  expect(await replica.repository.consumers.list()).toMatchObject([
    { name: 'late', position: 7 },
    { name: 'recording', position: 7 },
  ]);
});

test('a stop lets the turn end and keeps it; an abort drops it', async () => {
  const [entered, goOn] = [new Gate(), new Gate()];
  const ids = await world.operate(2);
  const stopped = world.replica('stopped');
  stopped.work(
    recording(async () => {
      entered.open();
      await goOn.opened;
    }),
  );
  await entered.opened;
  const closed = stopped.close();
  goOn.open();
  await closed;
  expect(await world.recorded()).toEqual(ids);

  const begun = new Gate();
  const more = await world.operate(2);
  const cut = world.replica('cut');
  cut.work(
    recording(async (_operations, _turn, { signal }) => {
      begun.open();
      await sleepUntil(null, { signal });
    }),
  );
  await begun.opened;
  cut.abort();
  await cut.close();
  expect(await world.recorded()).toEqual(ids);
  expect(cut.warnings).toEqual([]);
  world.replica('next').work(recording());
  await world.allRecorded([...ids, ...more]);
  expect(await world.recorded()).toEqual([...ids, ...more]);
});
