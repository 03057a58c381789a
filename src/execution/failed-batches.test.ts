import { beforeEach, describe, expect, test } from 'vitest';
import { balancesOf } from '../../test/support/balances.ts';
import { executorSettings, startExecutor, wordFor } from '../../test/support/executors.ts';
import { FaultyRepository, type Fault } from '../../test/support/faulty-repository.ts';
import { Gate } from '../../test/support/gate.ts';
import { buying, consuming, granting, request } from '../../test/support/requests.ts';
import { hold } from '../../test/support/held-transaction.ts';
import { gold, listing, openAccounts, stockShop, sword } from '../../test/support/shop.ts';
import { until } from '../../test/support/until.ts';
import {
  ConflictError,
  ConstraintError,
  DuplicateError,
  StatementTimeoutError,
} from '../repository/errors.ts';
import { LockTable, type Locks } from '../repository/memory/lock-table.ts';
import { MemoryDatabase } from '../repository/memory/memory-database.ts';
import { MemoryRepository } from '../repository/memory/memory-repository.ts';
import type { ExecutionFailure } from './failure.ts';

const { retries } = executorSettings.backoff;
const conflict: Fault = { kind: 'fails', error: new ConflictError('a fault: deadlock') };

let database: MemoryDatabase;
let repository: MemoryRepository;
let faulty: FaultyRepository;
/** What goes wrong with the transactions to come, in their order; after that nothing does. */
let faults: (Fault | undefined)[];
let transactions: number;

beforeEach(async () => {
  database = new MemoryDatabase();
  repository = new MemoryRepository({ database });
  faults = [];
  transactions = 0;
  faulty = new FaultyRepository({
    repository,
    nextFault: () => {
      transactions += 1;
      return faults.shift();
    },
  });
  await stockShop(repository, { assets: [gold] });
  await openAccounts(repository, ['p1', 'p2'], { gold: 10 });
});

describe('a batch that fails as a whole is run again command by command, and each gets its own answer:', () => {
  test.each<[string, Fault]>([
    ['a deadlock', conflict],
    ['a row that must be unique', { kind: 'fails', error: new DuplicateError('a fault: unique') }],
    ['no connection', { kind: 'unavailable' }],
    ['a commit whose answer was lost, and nothing kept', { kind: 'commit lost' }],
    ['a commit whose answer was lost, and everything kept', { kind: 'commit kept' }],
  ])('%s', async (_name, fault) => {
    faults = [fault];
    const { executor, troubles } = startExecutor(faulty, { lanes: 1 });
    const words = [
      request(granting('p1', { gold: 1 }), { idempotencyKey: 'k' }),
      request(granting('p1', { gold: 1 }), { idempotencyKey: 'k' }),
      request(granting('p1', { gold: 1 }), { idempotencyKey: 'k', requestHash: 'other' }),
      request(consuming('p1', { gold: 100 })),
      request(granting('p1', { gold: 50 }), { dryRun: true }),
      request(consuming('p2', { gold: 3 })),
      request(granting('new', { gold: 4 })),
    ].map((each) => wordFor(executor.execute(each)));
    expect(await Promise.all(words)).toEqual([
      'done',
      'replayed',
      'idempotency_key_reused',
      'insufficient_balance',
      'done',
      'done',
      'done',
    ]);
    expect(transactions).toBe(1 + 7);
    expect(troubles).toMatchObject({ defects: [], failedBatches: [{ commands: 7 }] });
    expect(await balancesOf(repository, 'p1')).toEqual({ gold: 11 });
    expect(await balancesOf(repository, 'p2')).toEqual({ gold: 7 });
    expect(await balancesOf(repository, 'new')).toEqual({ gold: 4 });
    expect(await repository.feed(0, 99)).toHaveLength(3);
  });
});

describe('retries are bounded', () => {
  test('what lasts as long as they do is overcome', async () => {
    faults = [conflict, ...Array.from({ length: retries }, () => conflict)];
    const { executor } = startExecutor(faulty);
    expect(await wordFor(executor.execute(request(granting('p1', { gold: 1 }))))).toBe('done');
    expect(transactions).toBe(retries + 2);
  });

  test.each<[string, Fault, string]>([
    ['conflicts: busy', conflict, 'busy'],
    ['no connection: database unavailable', { kind: 'unavailable' }, 'database_unavailable'],
  ])('what lasts longer is told, and nothing was changed; %s', async (_name, fault, code) => {
    faults = Array.from({ length: retries + 2 }, () => fault);
    const { executor } = startExecutor(faulty);
    expect(await wordFor(executor.execute(request(granting('p1', { gold: 1 }))))).toBe(code);
    expect(transactions).toBe(retries + 2);
    expect(await balancesOf(repository, 'p1')).toEqual({ gold: 10 });
  });

  test('when the database stays out of reach for one, the others of its batch do not wait for the same', async () => {
    faults = unavailable(100);
    const { executor } = startExecutor(faulty, { lanes: 1 });
    const words = Array.from({ length: 5 }, () =>
      wordFor(executor.execute(request(granting('p1', { gold: 1 })))),
    );
    expect(new Set(await Promise.all(words))).toEqual(new Set(['database_unavailable']));
    expect(transactions).toBe(1 + (1 + retries));
  });

  test('stock that stays locked for one is not waited for again by the others of its batch', async () => {
    const table = new LockTable();
    let ranOut = 0;
    const locks: Locks = {
      acquire: async (owner, row, patience) => {
        await table.acquire(owner, row, patience).catch((error: unknown) => {
          ranOut += 1;
          throw error;
        });
      },
      tryAcquire: (owner, row) => table.tryAcquire(owner, row),
      holds: (owner, row) => table.holds(owner, row),
      release: (owner, row) => table.release(owner, row),
      releaseAll: (owner) => table.releaseAll(owner),
      waits: () => table.waits(),
    };
    database = new MemoryDatabase({ locks });
    repository = new MemoryRepository({ database, lockTimeoutMs: 30 });
    await stockShop(repository, {
      assets: [gold, sword],
      listings: ['taken', 'free'].map((id) => listing(id, { limited: true })),
      stock: 9,
    });
    await openAccounts(repository, ['p1'], { gold: 100 });
    const stranger = await hold(repository, (tx) => tx.lockStock(['taken']));
    faulty = new FaultyRepository({ repository, nextFault: () => faults.shift() });
    faults = unavailable(1);
    const { executor } = startExecutor(faulty, { lanes: 1 });
    const words = ['taken', 'taken', 'free', 'taken'].map((id) =>
      wordFor(executor.execute(request(buying('p1', id)))),
    );
    expect(await Promise.all(words)).toEqual(['busy', 'busy', 'done', 'busy']);
    expect(ranOut).toBe(1);
    await stranger.commit();
  });

  test('what is no fault of its neighbours is not tried again', async () => {
    const bug = new ConstraintError('a fault: check');
    const slow = new StatementTimeoutError('a fault: slow');
    faults = [bug, bug, slow].map((error) => ({ kind: 'fails', error }));
    const { executor, troubles } = startExecutor(faulty, { lanes: 1 });
    const words = Array.from({ length: 3 }, () =>
      wordFor(executor.execute(request(granting('p1', { gold: 1 })))),
    );
    expect(await Promise.all(words)).toEqual(['internal_error', 'busy', 'done']);
    expect(transactions).toBe(4);
    expect(troubles.defects).toEqual([bug]);
    expect(await balancesOf(repository, 'p1')).toEqual({ gold: 11 });
  });
});

describe('an outcome that is unknown', () => {
  test.each(['commit lost', 'commit kept'] as const)(
    'and stays so is told as such, with the key that was made; the same key tells it later: %s',
    async (kind) => {
      faults = [{ kind }, ...unavailable(1 + retries)];
      const { executor } = startExecutor(faulty);
      const each = request(granting('p1', { gold: 1 }));
      const failure = await executor.execute(each).catch((error: unknown) => error as ExecutionFailure);
      if (!('idempotencyKey' in failure)) throw new Error('it did not fail');
      expect(failure).toMatchObject({ name: 'ExecutionFailure', code: 'outcome_unknown' });
      expect(failure.idempotencyKey).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
      expect(await balancesOf(repository, 'p1')).toEqual({ gold: kind === 'commit kept' ? 11 : 10 });
      const again = { ...each, idempotencyKey: failure.idempotencyKey ?? null };
      expect(await wordFor(executor.execute(again))).toBe(kind === 'commit kept' ? 'replayed' : 'done');
      expect(await balancesOf(repository, 'p1')).toEqual({ gold: 11 });
    },
  );

  test('names the caller’s own key, if there was one', async () => {
    faults = [{ kind: 'commit lost' }, ...unavailable(1 + retries)];
    const { executor } = startExecutor(faulty);
    const keyed = request(granting('p1', { gold: 1 }), { idempotencyKey: 'mine' });
    await expect(executor.execute(keyed)).rejects.toMatchObject({
      code: 'outcome_unknown',
      idempotencyKey: 'mine',
    });
  });

  test('is known as soon as the command has been decided again under its locks', async () => {
    faults = [{ kind: 'commit lost' }, ...Array.from({ length: 1 + retries }, () => conflict)];
    const { executor } = startExecutor(faulty);
    // That it was lost for good this time tells nothing new: that it was not there tells that nothing was kept.
    expect(await wordFor(executor.execute(request(granting('p1', { gold: 1 }))))).toBe('busy');
    expect(await balancesOf(repository, 'p1')).toEqual({ gold: 10 });
  });

  test('is told only of those that were to be kept: for the others of the batch nothing was changed', async () => {
    faults = [{ kind: 'commit lost' }, ...unavailable(100)];
    const { executor } = startExecutor(faulty, { lanes: 1 });
    const words = [
      request(granting('p1', { gold: 1 })),
      request(consuming('p1', { gold: 100 })),
      request(granting('p1', { gold: 1 }), { dryRun: true }),
      request(granting('p1', { gold: 1 })),
    ].map((each) => wordFor(executor.execute(each)));
    expect(await Promise.all(words)).toEqual([
      'outcome_unknown',
      'database_unavailable',
      'database_unavailable',
      'outcome_unknown',
    ]);
  });

  test('is not looked up but waited for: the lost commit may still be under way', async () => {
    const gate = new Gate();
    faults = [{ kind: 'commit late', gate }];
    const { executor } = startExecutor(faulty, { batchAccountWaitMs: 60_000 });
    const word = wordFor(executor.execute(request(granting('p1', { gold: 1 }), { idempotencyKey: 'k' })));
    await until('the second attempt waits for the first', () => database.locks.waits().length === 1);
    expect(await repository.feed(0, 9)).toEqual([]);
    gate.open();
    // Its own operation, not someone else's: it was not replayed.
    expect(await word).toBe('done');
    expect(await balancesOf(repository, 'p1')).toEqual({ gold: 11 });
    await faulty.settled();
  });

  test('of a batch is resolved for each of its commands', async () => {
    const gate = new Gate();
    faults = [{ kind: 'commit late', gate }];
    const { executor } = startExecutor(faulty, { lanes: 1, batchAccountWaitMs: 60_000 });
    const words = ['p1', 'p2', 'p1', 'new'].map((account) =>
      wordFor(executor.execute(request(granting(account, { gold: 1 })))),
    );
    await until('the second attempt waits for the first', () => database.locks.waits().length === 1);
    gate.open();
    expect(await Promise.all(words)).toEqual(['done', 'done', 'done', 'done']);
    expect(await repository.feed(0, 9)).toHaveLength(4);
    expect(await balancesOf(repository, 'p1')).toEqual({ gold: 12 });
    await faulty.settled();
  });
});

test('a catalog that can’t be loaded at first is no reason to fail what comes later', async () => {
  let down = true;
  const flaky = Object.create(repository) as MemoryRepository;
  flaky.catalog = async () => {
    if (down) throw new ConflictError('a fault: no catalog');
    return await repository.catalog();
  };
  flaky.transaction = (work, options) => repository.transaction(work, options);
  const { executor } = startExecutor(flaky);
  expect(await wordFor(executor.execute(request(granting('p1', { gold: 1 }))))).toBe('busy');
  down = false;
  expect(await wordFor(executor.execute(request(granting('p1', { gold: 1 }))))).toBe('done');
});

function unavailable(times: number): Fault[] {
  return Array.from({ length: times }, () => ({ kind: 'unavailable' }));
}
