import { expect, test } from 'vitest';
import { ConflictError, LockTimeoutError } from '../../src/repository/errors.ts';
import type { Repository, Tx } from '../../src/repository/repository.ts';
import { hold } from '../support/held-transaction.ts';
import { replicas, waiting } from '../support/replicas.ts';
import { onEveryRepository, type World } from '../support/repositories.ts';
import { listing, openAccounts, stockShop } from '../support/shop.ts';
import { until } from '../support/until.ts';

onEveryRepository((world) => {
  test('an account is waited for only so long, and nothing is kept', async () => {
    const [one, two] = await replicas(world());
    await openAccounts(one, ['mine', 'theirs']);
    const stranger = await hold(one, (tx) => tx.lockAccounts(['theirs']));
    const waiter = two.transaction(
      async (tx) => {
        tx.save({ holdings: [{ account: 'mine', asset: 'gold', quantity: 1, reserved: 0 }] });
        await tx.lockAccounts(['mine', 'theirs']);
      },
      { accountWaitMs: 30 },
    );
    await expect(waiter).rejects.toThrow(LockTimeoutError);
    await expect(waiter).rejects.toMatchObject({ rows: 'accounts' });
    await stranger.commit();
    expect(await goldOf(one, 'mine')).toBe(0);
  });

  test('without a wait of its own, an account is waited for as long as any other row', async () => {
    const [one] = await replicas(world());
    const hasty = world().replica('hasty', { lockTimeoutMs: 30 });
    await openAccounts(one, ['p1']);
    const stranger = await hold(one, (tx) => tx.lockAccounts(['p1']));
    const waiter = hasty.transaction((tx) => tx.lockAccounts(['p1']));
    await expect(waiter).rejects.toMatchObject({ name: 'LockTimeoutError', rows: 'accounts' });
    await stranger.commit();
  });

  test('a wait for someone who creates the same account counts as a wait for an account', async () => {
    const [one, two] = await replicas(world());
    const stranger = await hold(one, (tx) => tx.ensureAccounts(['new']));
    const waiter = two.transaction((tx) => tx.ensureAccounts(['new']), { accountWaitMs: 30 });
    await expect(waiter).rejects.toMatchObject({ name: 'LockTimeoutError', rows: 'accounts' });
    await stranger.commit();
  });

  test('stock is waited for longer than an account', async () => {
    const [one, two] = await replicas(world());
    await openAccounts(one, ['p1']);
    await stockShop(one, { listings: [listing('sale', { limited: true })], stock: 1 });
    await outlasts(world(), [one, two], {
      hold: (tx) => tx.lockStock(['sale']),
      wait: async (tx) => {
        const [, stock] = await Promise.all([tx.lockAccounts(['p1']), tx.lockStock(['sale'])]);
        return stock.length;
      },
    });
  });

  test('the catalog is waited for longer than an account', async () => {
    const [one, two] = await replicas(world());
    await outlasts(world(), [one, two], {
      hold: (tx) => tx.lockCatalog(),
      wait: async (tx) => (await tx.lockCatalog()).version,
    });
  });

  test('stock and the catalog are waited for up to the lock timeout', async () => {
    const [one] = await replicas(world());
    const hasty = world().replica('hasty', { lockTimeoutMs: 30 });
    await stockShop(one, { listings: [listing('sale', { limited: true })], stock: 1 });
    const stranger = await hold(one, async (tx) => {
      await tx.lockCatalog();
      await tx.lockStock(['sale']);
    });
    const forStock = hasty.transaction((tx) => tx.lockStock(['sale']), { accountWaitMs: 10_000 });
    await expect(forStock).rejects.toMatchObject({ name: 'LockTimeoutError', rows: 'stock' });
    const forCatalog = hasty.transaction((tx) => tx.lockCatalog(), { accountWaitMs: 10_000 });
    await expect(forCatalog).rejects.toMatchObject({ name: 'LockTimeoutError', rows: 'other' });
    await stranger.commit();
  });

  test('whoever has waited in vain can be followed by others on the same connection', async () => {
    const [one, two] = await replicas(world());
    await openAccounts(one, ['p1']);
    const stranger = await hold(one, (tx) => tx.lockAccounts(['p1']));
    const waiter = two.transaction((tx) => tx.lockAccounts(['p1']), { accountWaitMs: 10 });
    await expect(waiter).rejects.toThrow(LockTimeoutError);
    await stranger.commit();
    expect(await two.transaction((tx) => tx.lockAccounts(['p1']))).toHaveLength(1);
  });

  test('the clock that is read after a lock was waited for is later than the wait', async () => {
    const [one, two] = await replicas(world());
    await openAccounts(one, ['p1']);
    const stranger = await hold(one, (tx) => tx.lockAccounts(['p1']));
    const waiter = two.transaction(async (tx) => {
      const [, now] = await Promise.all([tx.lockAccounts(['p1']), tx.now()]);
      return now.nowMs;
    });
    await waiting(world(), 'two', 'one');
    const seenMs = await world().nowMs();
    // So that a clock that stood still since the beginning shows, however coarse it is.
    await until('some time passes', async () => (await world().nowMs()) > seenMs + 5);
    const releasedMs = Math.floor(await world().nowMs());
    await stranger.commit();
    const nowMs = await waiter;
    expect(nowMs).toBeGreaterThanOrEqual(releasedMs);
    expect(nowMs).toBeLessThanOrEqual(await world().nowMs());
    expect(nowMs).toBe(Math.floor(nowMs));
  });

  test('two that lock against the rules deadlock: one of them fails as a conflict, and the other gets through', async () => {
    const [one, two] = await replicas(world());
    await openAccounts(one, ['p1']);
    await stockShop(one, { listings: [listing('sale', { limited: true })], stock: 1 });
    const gold = (quantity: number) => ({ account: 'p1', asset: 'gold', quantity, reserved: 0 });
    const [oneGo, twoGo] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
    const rightly = one.transaction(async (tx) => {
      await tx.lockAccounts(['p1']);
      oneGo.resolve(undefined);
      await twoGo.promise;
      await tx.lockStock(['sale']);
      tx.save({ holdings: [gold(1)] });
    });
    const wrongly = two.transaction(async (tx) => {
      await tx.lockStock(['sale']);
      twoGo.resolve(undefined);
      await oneGo.promise;
      await tx.lockAccounts(['p1']);
      tx.save({ holdings: [gold(2)] });
    });
    const outcomes = await Promise.allSettled([rightly, wrongly]);
    const failed = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(failed).toHaveLength(1);
    expect(failed[0]?.reason).toBeInstanceOf(ConflictError);
    expect(await goldOf(one, 'p1')).toBe(outcomes[0].status === 'fulfilled' ? 1 : 2);
  });

  test('when a deadlock closes at once, it is the one who began to wait first that fails', async () => {
    const [one, two] = await replicas(world());
    await openAccounts(one, ['a', 'b']);
    const twoLocked = Promise.withResolvers<undefined>();
    const closing = Promise.withResolvers<undefined>();
    const first = one.transaction(async (tx) => {
      await tx.lockAccounts(['a']);
      await twoLocked.promise;
      await tx.lockAccounts(['b']);
    });
    const second = two.transaction(async (tx) => {
      await tx.lockAccounts(['b']);
      twoLocked.resolve(undefined);
      await closing.promise;
      return await tx.lockAccounts(['a']);
    });
    await waiting(world(), 'one', 'two');
    closing.resolve(undefined);
    await expect(first).rejects.toThrow(ConflictError);
    expect(await second).toHaveLength(1);
  });

  test('calls take effect in the order in which they were made, awaited or not', async () => {
    const [one, two, three] = await replicas(world());
    await openAccounts(one, ['a', 'b']);
    const stranger = await hold(one, (tx) => tx.lockAccounts(['a']));
    const waiter = hold(two, async (tx) => {
      await Promise.all([tx.ensureAccounts(['c']), tx.lockAccounts(['a']), tx.lockAccounts(['b'])]);
    });
    await waiting(world(), 'two', 'one');
    const takenOf = async () => await three.transaction((tx) => tx.lockFreeAccounts(['a', 'b']));
    // What comes after the lock that is waited for has not happened yet.
    expect(await takenOf()).toMatchObject({ taken: ['a'] });
    const creator = three.transaction((tx) => tx.ensureAccounts(['c']));
    await waiting(world(), 'three', 'two');
    await stranger.commit();
    const waited = await waiter;
    await waited.commit();
    await creator;
  });
});

const accountWaitMs = 30;

/** Proves that a wait goes on when the wait for an account would have run out. */
async function outlasts(
  world: World,
  [one, two]: readonly [Repository, Repository],
  work: { hold: (tx: Tx) => Promise<unknown>; wait: (tx: Tx) => Promise<number> },
): Promise<void> {
  const stranger = await hold(one, work.hold);
  const waiter = two.transaction(work.wait, { accountWaitMs });
  await waiting(world, 'two', 'one');
  const seenMs = await world.nowMs();
  await until('the wait for an account would be over', async () => {
    return (await world.nowMs()) > seenMs + 2 * accountWaitMs;
  });
  await stranger.commit();
  expect(await waiter).toBe(1);
}

async function goldOf(repository: Repository, account: string): Promise<number> {
  const [holding] = await repository.transaction((tx) => tx.holdings([{ account, asset: 'gold' }]));
  return holding?.quantity ?? 0;
}
