import { afterEach, beforeEach, expect, test } from 'vitest';
import { ConsumerWorld, recording } from '../../test/support/consumer-world.ts';
import { Gate } from '../../test/support/gate.ts';
import { query } from '../../test/support/query.ts';
import { until } from '../../test/support/until.ts';
import { HeldUpError } from './consumer.ts';
import { Pacer } from './pacer.ts';

let world: ConsumerWorld;

beforeEach(async () => {
  world = await ConsumerWorld.start();
});

afterEach(async () => {
  await world.close();
});

/** Long enough for a page to be at its middle, however slow the machine is. */
const turnMs = 1000;

test('the pages of a turn are kept together, with one move of the cursor', async () => {
  const [secondPage, goOn] = [new Gate(), new Gate()];
  const pages: number[] = [];
  const ids = await world.operate(7);
  world.replica('a').work(
    recording(async (operations) => {
      pages.push(operations.length);
      if (pages.length === 1) return;
      secondPage.open();
      await goOn.opened;
    }),
    { turnMs },
  );
  await secondPage.opened;
  expect([await world.position(), await world.recorded()]).toEqual([0, []]);
  goOn.open();
  await world.allRecorded(ids);
  expect([await world.position(), await world.recorded()]).toEqual([7, ids]);
  expect(pages).toEqual([4, 3]);
});

test('when a later page fails the pages are kept one by one, and only what is poisoned is parked', async () => {
  const ids = await world.operate(12);
  const poisoned = ids[6];
  const replica = world.replica('a');
  const attempts: number[] = [];
  replica.work(
    recording((operations) => {
      attempts.push(ids.indexOf(operations[0]?.id ?? ''));
      if (operations.some(({ id }) => id === poisoned)) throw new Error('it is poisoned');
    }),
    { turnMs },
  );
  await until('the cursor is at the end', async () => (await world.position()) === ids.length);
  expect(await world.recorded()).toEqual(ids.filter((id) => id !== poisoned));
  const { consumers } = replica.repository;
  expect(await consumers.parked('recording', { after: 0, limit: 10 })).toMatchObject([
    { operation: poisoned, reason: 'it is poisoned' },
  ]);
  // The first page of the turn that failed was not kept with it, and did not fail again.
  expect(attempts.slice(0, 4)).toEqual([0, 4, 0, 4]);
  // Once it is through, turns have several pages again.
  expect(await consumers.list()).toMatchObject([{ attempts: 0, error: null }]);
});

test('a stop between two pages keeps what was handled, and whoever comes next goes on after it', async () => {
  const [entered, goOn] = [new Gate(), new Gate()];
  const ids = await world.operate(8);
  const stopped = world.replica('stopped');
  stopped.work(
    recording(async () => {
      entered.open();
      await goOn.opened;
    }),
    // Its second page would be due after an hour.
    { turnMs: 7_200_000, turnTimeoutMs: 10_000_000 },
  );
  await entered.opened;
  const closed = stopped.close();
  goOn.open();
  await closed;
  expect(await world.recorded()).toEqual(ids.slice(0, 4));
  const next = world.replica('next');
  next.work(recording());
  await world.allRecorded(ids);
  expect(await world.recorded()).toEqual(ids);
  expect([...stopped.warnings, ...next.warnings]).toEqual([]);
});

test('a turn does not wait for others beyond its time: it is kept as far as it is', async () => {
  const ids = await world.operate(8);
  // Whoever works rests sixteen times as long.
  const pacer = new Pacer({ inFlight: () => 64, yieldAt: 1 });
  const [others, positions] = [new AbortController(), new Array<unknown>()];
  world.replica('a').work(
    recording(async () => {
      positions.push(await world.position());
      if (positions.length > 1) return;
      // They come before its second page, and none says that it is done.
      for (let i = 0; i < 4; i += 1) void pacer.begin({ lateMs: 0, signal: others.signal }).catch(String);
    }),
    { turnMs, pacer },
  );
  await world.allRecorded(ids);
  expect(positions).toEqual([0, 4]);
  others.abort();
});

test('a stop does not wait for others either', async () => {
  const ids = await world.operate(4);
  const pacer = new Pacer({ inFlight: () => 64, yieldAt: 1 });
  const others = new AbortController();
  const all = Array.from({ length: 1000 }, async () => {
    await pacer.begin({ lateMs: 0, signal: others.signal });
  });
  const replica = world.replica('a');
  replica.work(recording(), { pacer });
  // In less than the minutes that those before it would take.
  await replica.close();
  expect(await world.recorded()).toEqual([]);
  others.abort();
  await Promise.all(all);
  world.replica('b').work(recording());
  await world.allRecorded(ids);
});

test('of the jobs that a turn asks for with the same key, the last is kept', async () => {
  const ids = await world.operate(8);
  const replica = world.replica('a');
  replica.work(
    recording((operations, turn) => {
      turn.enqueue(operations.map(({ id }) => ({ name: 'keyed', key: 'one', payload: { id } })));
    }),
    { turnMs },
  );
  await until('the cursor is at the end', async () => (await world.position()) === ids.length);
  const { rows } = await query(
    world.url,
    `select payload ->> 'id' as id from graphile_worker._private_jobs where key = 'one'`,
  );
  expect(rows).toEqual([{ id: ids.at(-1) }]);
  expect(replica.warnings).toEqual([]);
});

/** What can be set down, and not be kept: PostgreSQL has no such character. */
const unkeepable = { name: 'refused', payload: { text: '\u0000' } };

test.each([
  ['one operation', 1, 0, 0],
  ['a page', 4, 0, 0],
  ['several pages, in turns of several', 12, turnMs, 0],
  ['several pages, with what is far behind it', 12, 0, 6],
])('what only the commit refuses is parked as well: %s', async (_, count, ms, index) => {
  const ids = await world.operate(count);
  const refused = ids[index];
  const replica = world.replica('a');
  replica.work(
    recording((operations, turn) => {
      if (operations.some(({ id }) => id === refused)) turn.enqueue([unkeepable]);
    }),
    { turnMs: ms },
  );
  await until('the cursor is at the end', async () => (await world.position()) === ids.length);
  expect(await world.recorded()).toEqual(ids.filter((id) => id !== refused));
  expect(await replica.repository.consumers.parked('recording', { after: 0, limit: 10 })).toMatchObject([
    { operation: refused },
  ]);
});

test('after a failure what failed comes first, and not what is to be tried again', async () => {
  const [old = ''] = await world.operate(1);
  let away = true;
  const order: string[] = [];
  const replica = world.replica('a');
  const { consumers } = replica.repository;
  replica.work(
    recording((operations, turn) => {
      const isOld = operations[0]?.id === old;
      if (isOld && away) {
        for (const operation of operations) turn.park(operation, 'not yet');
        return;
      }
      order.push(isOld ? 'old' : 'new');
      // The first turn about what is new fails, by which time the old one is to be tried again.
      if (order.filter((what) => what === 'new').length > 1 || isOld) return;
      return consumers.retryParked('recording', null).then(() => {
        throw new HeldUpError('the broker is away');
      });
    }),
  );
  await until('it is parked', async () => (await world.position()) === 1);
  away = false;
  const fresh = await world.operate(1);
  await until('all was handled', () => order.length === 3);
  expect(order).toEqual(['new', 'new', 'old']);
  await world.allRecorded([old, ...fresh]);
});
