import { beforeEach, describe, expect, test } from 'vitest';
import { balancesOf } from '../../test/support/balances.ts';
import { receiptOf, startExecutor, wordFor } from '../../test/support/executors.ts';
import { FaultyRepository } from '../../test/support/faulty-repository.ts';
import { Gate } from '../../test/support/gate.ts';
import { buying, consuming, granting, request, transferring } from '../../test/support/requests.ts';
import { gold, listing, openAccounts, stockShop, sword } from '../../test/support/shop.ts';
import { until } from '../../test/support/until.ts';
import type { Command } from '../domain/command.ts';
import { MemoryDatabase, type Moment } from '../repository/memory/memory-database.ts';
import { MemoryRepository } from '../repository/memory/memory-repository.ts';

let database: MemoryDatabase;
let repository: MemoryRepository;
let transactions: number;
let counting: FaultyRepository;
/** Where set: commits wait for it after their operations were numbered. */
let commitGate: Gate | undefined;
let stalledCommits: number;

beforeEach(async () => {
  commitGate = undefined;
  stalledCommits = 0;
  const pause = async (moment: Moment): Promise<void> => {
    if (moment !== 'commit' || commitGate === undefined) return;
    stalledCommits += 1;
    await commitGate.opened;
  };
  database = new MemoryDatabase({ pause });
  repository = new MemoryRepository({ database });
  await stockShop(repository, {
    assets: [gold, sword],
    listings: [listing('sale'), listing('limited', { limited: true })],
    stock: 3,
  });
  await openAccounts(repository, ['p1', 'p2'], { gold: 100 });
  transactions = 0;
  counting = new FaultyRepository({
    repository,
    nextFault: () => {
      transactions += 1;
      return undefined;
    },
  });
});

describe('an operation', () => {
  test('is answered with its receipt, which is on record to the letter', async () => {
    const { executor } = startExecutor(repository);
    const outcome = await executor.execute(request(buying('p1', 'sale', 2), { actor: 'key:shop' }));
    const receipt = receiptOf(outcome);
    expect(receipt).toEqual({
      id: receipt.id,
      type: 'purchase',
      at: receipt.at,
      actor: 'key:shop',
      dryRun: false,
      entries: [
        { account: 'p1', asset: 'gold', delta: -20, balance: 80 },
        { account: 'p1', asset: 'sword', delta: 2, balance: 2 },
      ],
      accounts: { p1: { version: 1 } },
      details: { listing: 'sale', quantity: 2 },
    });
    expect(outcome).toMatchObject({ replayed: false });
    expect(await repository.operation(receipt.id)).toEqual({ home: 'p1', receipt: JSON.stringify(receipt) });
    expect(await repository.feed(0, 9)).toMatchObject([{ receipt: JSON.stringify(receipt) }]);
    expect(await repository.entries('p1', { before: null, limit: 9 })).toMatchObject([
      { operation: receipt.id, type: 'purchase', version: 1, asset: 'sword', delta: 2, balance: 2 },
      { operation: receipt.id, type: 'purchase', version: 1, asset: 'gold', delta: -20, balance: 80 },
    ]);
    expect(await balancesOf(repository, 'p1')).toEqual({ gold: 80, sword: 2 });
  });

  test('takes effect at the database’s time, and never before the account’s last one', async () => {
    let nowMs = 5_000;
    database = new MemoryDatabase({ nowMs: () => nowMs });
    repository = new MemoryRepository({ database });
    await stockShop(repository, { assets: [gold] });
    const { executor } = startExecutor(repository);
    const timeOf = async () => receiptOf(await executor.execute(request(granting('p1', { gold: 1 })))).at;
    expect(await timeOf()).toBe('1970-01-01T00:00:05.000Z');
    nowMs = 4_000;
    expect(await timeOf()).toBe('1970-01-01T00:00:05.000Z');
    nowMs = 6_000;
    expect(await timeOf()).toBe('1970-01-01T00:00:06.000Z');
  });

  test('that is rejected changes nothing and is not on record', async () => {
    const { executor } = startExecutor(repository);
    const outcome = await executor.execute(request(consuming('p1', { gold: 101 }), { idempotencyKey: 'k' }));
    expect(outcome).toMatchObject({ kind: 'rejected', code: 'insufficient_balance' });
    expect(await balancesOf(repository, 'p1')).toEqual({ gold: 100 });
    expect(await repository.feed(0, 9)).toEqual([]);
    // Its key was not used up.
    expect(
      await wordFor(executor.execute(request(consuming('p1', { gold: 1 }), { idempotencyKey: 'k' }))),
    ).toBe('done');
  });

  test('that would have created an account and is rejected leaves none behind', async () => {
    const { executor } = startExecutor(repository);
    expect(await wordFor(executor.execute(request(granting('new', { wood: 1 }))))).toBe('asset_not_found');
    expect(await repository.account('new')).toBeUndefined();
    // Also for the next operation it is not there, although there is a row now.
    expect(await wordFor(executor.execute(request(consuming('new', { gold: 1 }))))).toBe('account_not_found');
  });
});

describe('a batch', () => {
  test('unites what comes at once in one transaction: each sees those before it', async () => {
    const { executor } = startExecutor(counting, { lanes: 1 });
    const outcomes = await Promise.all(
      [
        granting('new', { gold: 5 }),
        transferring('new', 'p1', { gold: 5 }),
        consuming('new', { gold: 1 }),
        transferring('p1', 'p2', { gold: 105 }),
        buying('p2', 'limited', 3),
        buying('p2', 'limited', 1),
        consuming('none', { gold: 1 }),
      ].map((command) => wordFor(executor.execute(request(command)))),
    );
    expect(outcomes).toEqual([
      'done',
      'done',
      'insufficient_balance',
      'done',
      'done',
      'out_of_stock',
      'account_not_found',
    ]);
    expect(transactions).toBe(1);
    expect(await balancesOf(repository, 'p1')).toEqual({});
    expect(await balancesOf(repository, 'p2')).toEqual({ gold: 175, sword: 3 });
    expect(await repository.account('p1')).toMatchObject({ version: 2 });
    const types = (await repository.feed(0, 9)).map(
      ({ receipt }) => (JSON.parse(receipt) as { type: string }).type,
    );
    expect(types).toEqual(['grant', 'transfer', 'transfer', 'purchase']);
  });

  test('is no larger than its bound', async () => {
    const { executor } = startExecutor(counting, { lanes: 1, batchMax: 10 });
    await Promise.all(
      Array.from({ length: 25 }, () => executor.execute(request(granting('p1', { gold: 1 })))),
    );
    expect(transactions).toBe(3);
    expect(await balancesOf(repository, 'p1')).toEqual({ gold: 125 });
  });

  test('gathers what comes while the one before it is being committed', async () => {
    commitGate = new Gate();
    const { executor } = startExecutor(counting, { lanes: 1 });
    const first = executor.execute(request(granting('p1', { gold: 1 })));
    await until('the first is being committed', () => stalledCommits === 1);
    const later = Array.from({ length: 20 }, () => executor.execute(request(granting('p1', { gold: 1 }))));
    commitGate.open();
    await Promise.all([first, ...later]);
    expect(transactions).toBe(2);
  });

  test('answers nobody before it is committed, not even whom it rejects, replays or shows a dry run', async () => {
    const { executor } = startExecutor(repository, { lanes: 1 });
    const keyed = request(granting('p1', { gold: 1 }), { idempotencyKey: 'used' });
    await executor.execute(keyed);
    commitGate = new Gate();
    stalledCommits = 0;
    const answered: string[] = [];
    const executions = [
      request(granting('p1', { gold: 1 })),
      request(consuming('p1', { gold: 1_000 })),
      keyed,
      request(granting('p1', { gold: 1 }), { dryRun: true }),
    ].map(async (each) => answered.push(await wordFor(executor.execute(each))));
    await until('the batch is being committed', () => stalledCommits === 1);
    await new Promise(setImmediate);
    expect(answered).toEqual([]);
    commitGate.open();
    await Promise.all(executions);
    expect(answered.sort()).toEqual(['done', 'done', 'insufficient_balance', 'replayed']);
  });

  test('of several lanes works on accounts at the same time', async () => {
    commitGate = new Gate();
    const { executor } = startExecutor(repository, { lanes: 8 });
    const accounts = Array.from({ length: 40 }, (_, i) => `q${i}`);
    const all = accounts.map((account) => executor.execute(request(granting(account, { gold: 1 }))));
    await until('all lanes are at work', () => stalledCommits === 8);
    commitGate.open();
    await Promise.all(all);
  });
});

describe('a command that is broken', () => {
  const broken = (part: 'decide' | 'footprint' | 'changes'): Command => ({
    ...granting('p1', { gold: 1 }),
    footprint: (catalog) => {
      if (part === 'footprint') throw new Error('a bug in footprint');
      return granting('p1', { gold: 1 }).footprint(catalog);
    },
    decide: () => {
      if (part === 'decide') throw new Error('a bug in decide');
      const changes = [
        { kind: 'move', account: 'p1', asset: 'gold', delta: 7 },
        { kind: 'move', account: 'p2', asset: 'gold', delta: -1_000 },
      ] as const;
      return { kind: 'accepted', changes, details: {} };
    },
  });

  test.each(['decide', 'footprint', 'changes'] as const)(
    'in its %s harms only itself, and is reported',
    async (part) => {
      const { executor, troubles } = startExecutor(repository, { lanes: 1 });
      const words = [
        granting('p1', { gold: 1 }),
        broken(part),
        granting('p1', { gold: 2 }),
        transferring('p1', 'p2', { gold: 103 }),
      ].map((command) => wordFor(executor.execute(request(command))));
      expect(await Promise.all(words)).toEqual(['done', 'internal_error', 'done', 'done']);
      expect(await balancesOf(repository, 'p1')).toEqual({});
      expect(await balancesOf(repository, 'p2')).toEqual({ gold: 203 });
      expect(troubles.defects).toHaveLength(1);
      expect(troubles.defects[0]).toBeInstanceOf(Error);
    },
  );
});

describe('a queue', () => {
  test('that is full refuses, and takes again when there is room', async () => {
    commitGate = new Gate();
    const { executor } = startExecutor(repository, { queueMax: 2 });
    const accepted = [1, 2].map(() => wordFor(executor.execute(request(granting('p1', { gold: 1 })))));
    expect(executor.inFlight).toBe(2);
    expect(await wordFor(executor.execute(request(granting('p1', { gold: 1 }))))).toBe('overloaded');
    expect(executor.inFlight).toBe(2);
    commitGate.open();
    expect(await Promise.all(accepted)).toEqual(['done', 'done']);
    expect(executor.inFlight).toBe(0);
    expect(await wordFor(executor.execute(request(granting('p1', { gold: 1 }))))).toBe('done');
    expect(await balancesOf(repository, 'p1')).toEqual({ gold: 103 });
  });

  test('that is drained answers what it has accepted, and refuses what comes later', async () => {
    commitGate = new Gate();
    const { executor } = startExecutor(repository, { lanes: 1 });
    const first = wordFor(executor.execute(request(granting('p1', { gold: 1 }))));
    await until('it is being committed', () => stalledCommits === 1);
    const queued = wordFor(executor.execute(request(granting('p1', { gold: 1 }))));
    let drained = false;
    const draining = executor.drain().then(() => (drained = true));
    expect(await wordFor(executor.execute(request(granting('p1', { gold: 1 }))))).toBe('shutting_down');
    await new Promise(setImmediate);
    expect(drained).toBe(false);
    commitGate.open();
    expect(await Promise.all([first, queued])).toEqual(['done', 'done']);
    await draining;
    expect(executor.inFlight).toBe(0);
    expect(await balancesOf(repository, 'p1')).toEqual({ gold: 102 });
  });

  test('may be drained when nothing is in it, and twice', async () => {
    const { executor } = startExecutor(repository);
    await Promise.all([executor.drain(), executor.drain()]);
    expect(await wordFor(executor.execute(request(granting('p1', { gold: 1 }))))).toBe('shutting_down');
  });
});
