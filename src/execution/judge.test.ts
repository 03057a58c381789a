import { beforeEach, describe, expect, test } from 'vitest';
import { balancesOf } from '../../test/support/balances.ts';
import { receiptOf, startExecutor, wordFor } from '../../test/support/executors.ts';
import { buying, consuming, granting, request } from '../../test/support/requests.ts';
import { gold, listing, openAccounts, stockShop, sword } from '../../test/support/shop.ts';
import { MemoryRepository } from '../repository/memory/memory-repository.ts';

let repository: MemoryRepository;

beforeEach(async () => {
  repository = new MemoryRepository();
  const listings = [listing('limited', { limited: true })];
  await stockShop(repository, { assets: [gold, sword], listings, stock: 3 });
  await openAccounts(repository, ['p1'], { gold: 100 });
});

describe('If-Match', () => {
  test('lets an operation pass at that version, and at no other', async () => {
    const { executor } = startExecutor(repository, { lanes: 1 });
    const conditional = (version: number) =>
      executor.execute(request(granting('p1', { gold: 1 }), { ifMatch: { account: 'p1', version } }));
    // Together in one batch: the second of two at the same version comes too late.
    const outcomes = await Promise.all([conditional(1), conditional(0), conditional(0), conditional(1)]);
    expect(outcomes).toMatchObject([
      {
        kind: 'rejected',
        code: 'version_mismatch',
        members: { account: 'p1', expected: 1, version: 0 },
      },
      { kind: 'done' },
      { kind: 'rejected', code: 'version_mismatch', members: { expected: 0, version: 1 } },
      { kind: 'done' },
    ]);
    expect(await repository.account('p1')).toMatchObject({ version: 2 });
  });

  test('is judged after the key, and before the rules', async () => {
    const { executor } = startExecutor(repository);
    const keyed = request(granting('p1', { gold: 1 }), { idempotencyKey: 'k' });
    await executor.execute(keyed);
    const ifMatch = { account: 'p1', version: 0 };
    expect(await wordFor(executor.execute({ ...keyed, ifMatch }))).toBe('replayed');
    expect(await wordFor(executor.execute({ ...keyed, ifMatch, requestHash: 'other' }))).toBe(
      'idempotency_key_reused',
    );
    const impossible = request(consuming('p1', { gold: 1_000 }), { ifMatch });
    expect(await wordFor(executor.execute(impossible))).toBe('version_mismatch');
  });

  test('takes an account that does not exist to be at version 0', async () => {
    const { executor } = startExecutor(repository);
    const first = (version: number) =>
      wordFor(
        executor.execute(request(granting('new', { gold: 1 }), { ifMatch: { account: 'new', version } })),
      );
    expect(await first(1)).toBe('version_mismatch');
    expect(await first(0)).toBe('done');
    expect(await first(0)).toBe('version_mismatch');
  });
});

describe('a dry run', () => {
  test('says what would be, and changes nothing, not even for those in its batch', async () => {
    const { executor } = startExecutor(repository, { lanes: 1 });
    const [dry, real, rejected, after] = await Promise.all([
      executor.execute(request(buying('p1', 'limited', 3), { dryRun: true })),
      executor.execute(request(buying('p1', 'limited', 2))),
      executor.execute(request(buying('p1', 'limited', 2), { dryRun: true })),
      executor.execute(request(buying('p1', 'limited', 1), { dryRun: true })),
    ]);
    expect(receiptOf(dry)).toMatchObject({
      dryRun: true,
      entries: [
        { asset: 'gold', delta: -30, balance: 70 },
        { asset: 'sword', delta: 3, balance: 3 },
      ],
      accounts: { p1: { version: 1 } },
    });
    expect(receiptOf(real)).toMatchObject({ dryRun: false, entries: [{ balance: 80 }, { balance: 2 }] });
    expect(rejected).toMatchObject({ code: 'out_of_stock', members: { remaining: 1 } });
    expect(receiptOf(after)).toMatchObject({ accounts: { p1: { version: 2 } } });
    expect(await balancesOf(repository, 'p1')).toEqual({ gold: 80, sword: 2 });
    expect(await repository.feed(0, 9)).toHaveLength(1);
    expect(await repository.operation(receiptOf(dry).id)).toBeUndefined();
  });

  test('uses no key, also beside a real one with the same key', async () => {
    const { executor } = startExecutor(repository, { lanes: 1 });
    const keyed = request(granting('p1', { gold: 1 }), { idempotencyKey: 'k' });
    const words = [
      executor.execute({ ...keyed, dryRun: true }),
      executor.execute({ ...keyed, dryRun: true, requestHash: 'other' }),
      executor.execute(keyed),
      executor.execute({ ...keyed, dryRun: true }),
    ].map(wordFor);
    // The last shows what a request under a used key gets: the receipt of its first use.
    expect(await Promise.all(words)).toEqual(['done', 'done', 'done', 'replayed']);
    expect(await balancesOf(repository, 'p1')).toEqual({ gold: 101 });
  });

  test('creates no account, and ensures none', async () => {
    const { executor } = startExecutor(repository);
    const dry = await executor.execute(request(granting('new', { gold: 1 }), { dryRun: true }));
    expect(receiptOf(dry).accounts).toEqual({ new: { version: 1 } });
    expect(await repository.transaction((tx) => tx.lockAccounts(['new']))).toEqual([]);
  });
});
