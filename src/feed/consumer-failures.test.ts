import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { consumerSettings, ConsumerWorld, recording } from '../../test/support/consumer-world.ts';
import { until } from '../../test/support/until.ts';
import type { FeedOperation } from '../repository/consumers.ts';
import { ConstraintError } from '../repository/errors.ts';
import { HeldUpError } from './consumer.ts';
import { sleepUntil } from './sleep-until.ts';

let world: ConsumerWorld;

beforeEach(async () => {
  world = await ConsumerWorld.start();
});

afterEach(async () => {
  await world.close();
});

test('an operation that always fails is parked after so many tries, and the others are handled', async () => {
  const ids = await world.operate(6);
  const poisoned = ids[2];
  let tries = 0;
  const replica = world.replica('a');
  replica.work(
    recording((operations) => {
      if (!operations.some(({ id }) => id === poisoned)) return;
      if (operations.length === 1) tries += 1;
      throw new Error('it is poisoned');
    }),
  );
  await until('the cursor is at the end', async () => (await world.position()) === ids.length);
  expect(await world.recorded()).toEqual(ids.filter((id) => id !== poisoned));
  expect(tries).toBe(consumerSettings.attemptsMax);
  const { consumers } = replica.repository;
  expect(await consumers.parked('recording', { after: 0, limit: 10 })).toMatchObject([
    { position: 3, operation: poisoned, reason: 'it is poisoned', retry: false },
  ]);
  expect(await consumers.list()).toMatchObject([{ parked: 1, error: null, attempts: 0 }]);
  expect(replica.warnings).toContainEqual(
    expect.objectContaining({ consumer: 'recording', operation: poisoned, reason: 'it is poisoned' }),
  );
});

test('what is parked can be tried again: in vain it stays, with its new reason, and otherwise it is gone', async () => {
  const [id = ''] = await world.operate(1);
  let trouble: string | null = 'first';
  const replica = world.replica('a');
  replica.work(
    recording((_operations, turn) => {
      if (trouble === null) return;
      if (trouble === 'set aside') turn.park(_operations[0] as FeedOperation, trouble);
      else throw new Error(trouble);
    }),
  );
  const { consumers } = replica.repository;
  const parked = async () => await consumers.parked('recording', { after: 0, limit: 10 });
  await until('it is parked', async () => (await parked()).length === 1);
  for (trouble of ['second', 'set aside']) {
    expect(await consumers.retryParked('recording', id)).toBe(1);
    await until('it was tried again', async () => (await parked())[0]?.reason === trouble);
    expect(await parked()).toMatchObject([{ operation: id, reason: trouble, retry: false }]);
  }
  trouble = null;
  expect(await consumers.retryParked('recording', null)).toBe(1);
  await until('nothing is parked', async () => (await parked()).length === 0);
  expect(await consumers.retryParked('recording', id)).toBe(0);
});

test('what is to be tried again takes turns with what is new', async () => {
  const parked = await world.operate(6);
  let away = true;
  const order: string[] = [];
  const mistaken: string[] = [];
  const replica = world.replica('a');
  replica.work(
    recording((operations, turn, { outOfOrder }) => {
      if (away) for (const operation of operations) turn.park(operation, 'not yet');
      else order.push(...operations.map(({ id }) => (parked.includes(id) ? 'old' : 'new')));
      // Also in a turn that leaves something to be tried again for the next.
      for (const { id } of operations) if (outOfOrder !== (!away && parked.includes(id))) mistaken.push(id);
    }),
    { pageRows: 1 },
  );
  const { consumers } = replica.repository;
  await until('the cursor is at the end', async () => (await world.position()) === parked.length);
  away = false;
  // Both are there before its next turn: it is kept from it meanwhile.
  const holder = new pg.Client({ connectionString: world.url });
  await holder.connect();
  await holder.query(`begin; select from consumers for update`);
  await consumers.retryParked('recording', null);
  await world.operate(6);
  await holder.query('commit');
  await holder.end();
  await until('all was handled', () => order.length === 12);
  expect(order.slice(0, 4).toSorted()).toEqual(['new', 'new', 'old', 'old']);
  expect(mistaken).toEqual([]);
});

test('what a constraint refuses is the operation’s fault, and parked', async () => {
  const [id] = await world.operate(1);
  const replica = world.replica('a');
  replica.work(
    recording(() => {
      throw new ConstraintError('it does not fit');
    }),
  );
  const { consumers } = replica.repository;
  const parked = async () => await consumers.parked('recording', { after: 0, limit: 1 });
  await until('it is parked', async () => (await parked()).length === 1);
  expect(await parked()).toMatchObject([{ operation: id, reason: 'it does not fit' }]);
});

test('while its surroundings are at fault a consumer waits, says why, and parks nothing', async () => {
  const ids = await world.operate(3);
  let away = true;
  let tries = 0;
  const replica = world.replica('a');
  replica.work(
    recording(() => {
      tries += 1;
      if (away) throw new HeldUpError('the broker is away');
    }),
  );
  await triedOften(() => tries);
  const { consumers } = replica.repository;
  expect(await consumers.list()).toMatchObject([
    { position: 0, lag: 3, parked: 0, attempts: 0, error: 'the broker is away' },
  ]);
  away = false;
  await world.allRecorded(ids);
  expect(await world.recorded()).toEqual(ids);
  expect(await consumers.list()).toMatchObject([{ position: 3, parked: 0, error: null }]);
});

test('a turn that takes too long is cut off, and its operation has failed', async () => {
  const [id = ''] = await world.operate(1);
  const replica = world.replica('a');
  replica.work(
    recording(async (_operations, _turn, { signal }) => {
      await sleepUntil(null, { signal });
      signal.throwIfAborted();
    }),
    { turnTimeoutMs: 50 },
  );
  const { consumers } = replica.repository;
  await until(
    'it is parked',
    async () => (await consumers.parked('recording', { after: 0, limit: 1 })).length === 1,
  );
  expect(await consumers.parked('recording', { after: 0, limit: 1 })).toMatchObject([
    { operation: id, reason: 'the turn took longer than 50 ms' },
  ]);
});

test('a turn that was cut off while its surroundings were at fault parks nothing', async () => {
  const ids = await world.operate(1);
  let away = true;
  let tries = 0;
  const replica = world.replica('a');
  replica.work(
    recording(async (_operations, _turn, { signal }) => {
      tries += 1;
      if (!away) return;
      // Under load the time may be up before it begins.
      await sleepUntil(null, { signal });
      throw new HeldUpError('the broker does not answer');
    }),
    { turnTimeoutMs: 200 },
  );
  await triedOften(() => tries);
  const { consumers } = replica.repository;
  expect(await consumers.list()).toMatchObject([{ position: 0, lag: 1, parked: 0, attempts: 0 }]);
  away = false;
  await world.allRecorded(ids);
  expect(await world.recorded()).toEqual(ids);
});

/** Resolves when it was tried more often than an operation that is at fault would be. */
async function triedOften(tries: () => number): Promise<void> {
  await until('it was tried often', () => tries() > 2 * consumerSettings.attemptsMax);
}
