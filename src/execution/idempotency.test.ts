import { describe, expect, test } from 'vitest';
import { balancesOf } from '../../test/support/balances.ts';
import { receiptOf, startExecutor, wordFor } from '../../test/support/executors.ts';
import { replicas } from '../../test/support/replicas.ts';
import { onEveryRepository } from '../../test/support/repositories.ts';
import { buying, granting, request, restocking, transferring } from '../../test/support/requests.ts';
import { gold, listing, openAccounts, stockShop, sword } from '../../test/support/shop.ts';
import type { OperationRequest } from './request.ts';

onEveryRepository((world) => {
  const stock = async () => {
    const [one, two] = await replicas(world());
    await stockShop(one, {
      assets: [gold, sword],
      listings: [listing('limited', { limited: true })],
      stock: 50,
    });
    await openAccounts(one, ['p1', 'p2'], { gold: 1_000 });
    return [one, two] as const;
  };

  test('a key is used once: whoever uses it again gets the same receipt to the letter', async () => {
    const [one, two] = await stock();
    const keyed = request(buying('p1', 'limited', 2), { idempotencyKey: 'k' });
    const first = await startExecutor(one).executor.execute(keyed);
    const second = await startExecutor(two).executor.execute(keyed);
    expect(second).toEqual({ ...first, replayed: true });
    expect(first).toMatchObject({ kind: 'done', replayed: false });
    expect(await balancesOf(one, 'p1')).toEqual({ gold: 980, sword: 2 });
    expect(await one.feed(0, 9)).toHaveLength(1);
  });

  test('a key used for another request is refused', async () => {
    const [one, two] = await stock();
    const keyed = request(granting('p1', { gold: 1 }), { idempotencyKey: 'k', requestHash: 'a' });
    await startExecutor(one).executor.execute(keyed);
    const other = await startExecutor(two).executor.execute({ ...keyed, requestHash: 'b' });
    expect(other).toMatchObject({ code: 'idempotency_key_reused', members: { idempotencyKey: 'k' } });
    expect(await balancesOf(one, 'p1')).toEqual({ gold: 1_001 });
  });

  test('a key belongs to the caller and the account', async () => {
    const [one] = await stock();
    const { executor } = startExecutor(one);
    const use = (account: string, actor: string) =>
      wordFor(executor.execute(request(granting(account, { gold: 1 }), { idempotencyKey: 'k', actor })));
    expect(
      await Promise.all([use('p1', 'key:a'), use('p1', 'key:b'), use('p2', 'key:a'), use('p1', 'key:a')]),
    ).toEqual(['done', 'done', 'done', 'replayed']);
  });

  test('without a key, two requests are two operations', async () => {
    const [one] = await stock();
    const { executor } = startExecutor(one);
    await Promise.all([1, 2].map(() => executor.execute(request(granting('p1', { gold: 1 })))));
    expect(await balancesOf(one, 'p1')).toEqual({ gold: 1_002 });
  });

  test('the same key twice in one batch: the second is a replay, and with another request refused', async () => {
    const [one] = await stock();
    const { executor } = startExecutor(one, { lanes: 1 });
    const keyed = request(granting('p1', { gold: 1 }), { idempotencyKey: 'k' });
    const [first, second, other] = await Promise.all([
      executor.execute(keyed),
      executor.execute(keyed),
      executor.execute({ ...keyed, requestHash: 'other' }),
    ]);
    expect(second).toEqual({ ...first, replayed: true });
    expect(other).toMatchObject({ code: 'idempotency_key_reused' });
    expect(await balancesOf(one, 'p1')).toEqual({ gold: 1_001 });
  });

  test('a key of a request that was refused may be used by the next in the batch', async () => {
    const [one] = await stock();
    const { executor } = startExecutor(one, { lanes: 1 });
    const [refused, taken] = await Promise.all([
      wordFor(
        executor.execute(request(granting('p1', { wood: 1 }), { idempotencyKey: 'k', requestHash: 'a' })),
      ),
      wordFor(
        executor.execute(request(granting('p1', { gold: 1 }), { idempotencyKey: 'k', requestHash: 'b' })),
      ),
    ]);
    expect([refused, taken]).toEqual(['asset_not_found', 'done']);
  });

  describe('the same key on two replicas at the same moment:', () => {
    test.each<[string, OperationRequest]>([
      ['a purchase', request(buying('p1', 'limited'), {})],
      ['a transfer', request(transferring('p1', 'p2', { gold: 3 }), {})],
      ['a grant that creates its account', request(granting('new', { gold: 1 }), {})],
      ['a restock, which has no account', request(restocking('limited', 5), {})],
    ])('%s is carried out once, and both get the same receipt', async (_name, each) => {
      const [one, two] = await stock();
      const executors = [startExecutor(one).executor, startExecutor(two).executor];
      const rounds = 15;
      for (let round = 0; round < rounds; round += 1) {
        const keyed = { ...each, idempotencyKey: `k${round}` };
        const outcomes = await Promise.all(
          [...executors, ...executors].map((executor) => executor.execute(keyed)),
        );
        const receipts = outcomes.map(receiptOf);
        expect(new Set(receipts.map((receipt) => JSON.stringify(receipt))).size).toBe(1);
        expect(outcomes.filter((outcome) => outcome.kind === 'done' && !outcome.replayed)).toHaveLength(1);
      }
      expect(await one.feed(0, 99)).toHaveLength(rounds);
    });
  });
});
