import { expect, test } from 'vitest';
import type { Repository } from '../../src/repository/repository.ts';
import { hold } from '../support/held-transaction.ts';
import { operationRecord } from '../support/operation-records.ts';
import { onEveryRepository } from '../support/repositories.ts';
import { replicas, waiting } from '../support/replicas.ts';
import { asset, gold, listing, openAccounts, stockShop, sword } from '../support/shop.ts';

onEveryRepository((world) => {
  test('an account is locked against everyone else until the end, and read as the one before left it', async () => {
    const [one, two] = await replicas(world());
    await openAccounts(one, ['p1']);
    const first = await hold(one, async (tx) => {
      const [account] = await tx.lockAccounts(['p1']);
      expect(account).toEqual({
        id: 'p1',
        version: 0,
        declared: true,
        capacity: null,
        stacks: 0,
        atMs: null,
      });
      tx.save({
        accounts: [
          { id: 'p1', version: 1, declared: true, capacity: null, stacks: 3, atMs: 1_700_000_000_123 },
        ],
      });
    });
    const second = two.transaction(async (tx) => await tx.lockAccounts(['p1']));
    await waiting(world(), 'two', 'one');
    await first.commit();
    expect(await second).toEqual([
      { id: 'p1', version: 1, declared: true, capacity: null, stacks: 3, atMs: 1_700_000_000_123 },
    ]);
  });

  test('stock is locked against everyone else until the end, and read as the one before left it', async () => {
    const [one, two] = await replicas(world());
    await stockShop(one, { assets: [gold, sword], listings: [listing('sale', { limited: true })], stock: 5 });
    const first = await hold(one, async (tx) => {
      const [stock] = await tx.lockStock(['sale']);
      if (stock === undefined) throw new Error('there is no stock');
      expect(stock).toMatchObject({ listing: 'sale', offered: 5, refilled: 0, remaining: 5 });
      tx.save({ stock: [{ ...stock, refilled: 2, remaining: 6, refilledAtMs: 1_700_000_000_456 }] });
    });
    const second = two.transaction(async (tx) => await tx.lockStock(['sale']));
    await waiting(world(), 'two', 'one');
    await first.commit();
    expect(await second).toEqual([
      { listing: 'sale', offered: 5, refilled: 2, remaining: 6, refilledAtMs: 1_700_000_000_456 },
    ]);
  });

  test('the catalog is locked against other changes of it, and read as the one before left it', async () => {
    const [one, two] = await replicas(world());
    const first = await hold(one, async (tx) => {
      await tx.lockCatalog();
      tx.save({ assets: [gold] });
    });
    const second = two.transaction(async (tx) => await tx.lockCatalog());
    await waiting(world(), 'two', 'one');
    await first.commit();
    expect(await second).toEqual({
      version: 2,
      assets: new Map([['gold', gold]]),
      listings: new Map(),
      rewardRules: new Map(),
    });
  });

  test('the catalog’s lock keeps nobody from reading its version', async () => {
    const [one, two] = await replicas(world());
    const first = await hold(one, (tx) => tx.lockCatalog());
    expect(await two.transaction((tx) => tx.now())).toMatchObject({ catalogVersion: 1 });
    await first.rollBack();
  });

  test('an idempotency key is guarded by the lock of its home: whoever waits for that sees it', async () => {
    const [one, two] = await replicas(world());
    await openAccounts(one, ['p1']);
    const record = operationRecord('p1', { idempotencyKey: 'k', requestHash: 'h' });
    const first = await hold(one, async (tx) => {
      await tx.lockAccounts(['p1']);
      tx.save({ operations: [record] });
    });
    const second = two.transaction(async (tx) => {
      const wanted = { home: 'p1', actor: record.actor, key: 'k' };
      const [, recorded] = await Promise.all([tx.lockAccounts(['p1']), tx.recorded([wanted])]);
      return recorded;
    });
    await waiting(world(), 'two', 'one');
    await first.commit();
    expect(await second).toEqual([
      {
        home: 'p1',
        actor: record.actor,
        key: 'k',
        operation: record.id,
        requestHash: 'h',
        receipt: record.receipt,
      },
    ]);
  });

  test('lock first, then read: what was made together with a lock that was waited for sees what the other kept', async () => {
    const [one, two] = await replicas(world());
    await openAccounts(one, ['p1'], { gold: 1 });
    const first = await hold(one, async (tx) => {
      await tx.lockAccounts(['p1']);
      tx.save({
        holdings: [{ account: 'p1', asset: 'gold', quantity: 7, reserved: 2 }],
        purchases: [{ account: 'p1', listing: 'sale', count: 3, sinceMs: 1_700_000_000_789 }],
      });
    });
    const second = two.transaction(async (tx) => {
      const [, holdings, purchases] = await Promise.all([
        tx.lockAccounts(['p1']),
        tx.holdings([{ account: 'p1', asset: 'gold' }]),
        tx.purchaseCounts([{ account: 'p1', listing: 'sale' }]),
      ]);
      return { holdings, purchases };
    });
    await waiting(world(), 'two', 'one');
    await first.commit();
    expect(await second).toEqual({
      holdings: [{ account: 'p1', asset: 'gold', quantity: 7, reserved: 2 }],
      purchases: [{ account: 'p1', listing: 'sale', count: 3, sinceMs: 1_700_000_000_789 }],
    });
  });

  test('rows are answered in byte order, each once, without those that do not exist', async () => {
    const [one] = await replicas(world());
    await openAccounts(one, ['a.b', 'a-b', 'a', 'B']);
    const limited = ['b', 'B', 'a:b', 'a.b', 'a-b'].map((id) => listing(id, { limited: true }));
    await stockShop(one, { listings: limited, stock: 1 });
    await one.transaction(async (tx) => {
      const accounts = await tx.lockAccounts(['a', 'none', 'a.b', 'a', 'B', 'a-b']);
      expect(accounts.map(({ id }) => id)).toEqual(['B', 'a', 'a-b', 'a.b']);
      const stock = await tx.lockStock(['b', 'a:b', 'none', 'a.b', 'a-b', 'B', 'b']);
      expect(stock.map((row) => row.listing)).toEqual(['B', 'a-b', 'a.b', 'a:b', 'b']);
    });
  });

  test('locks are taken in the order of ids, whatever the order asked for', async () => {
    const [one, two, three] = await replicas(world());
    await openAccounts(one, ['a', 'b', 'c']);
    const stranger = await hold(one, (tx) => tx.lockAccounts(['b']));
    const waiter = two.transaction(async (tx) => await tx.lockAccounts(['c', 'b', 'a']));
    await waiting(world(), 'two', 'one');
    const free = await three.transaction(async (tx) => await tx.lockFreeAccounts(['a', 'b', 'c']));
    expect({ ...free, accounts: free.accounts.map(({ id }) => id) }).toEqual({
      accounts: ['c'],
      taken: ['a', 'b'],
    });
    await stranger.rollBack();
    await waiter;
  });

  test('stock is locked in the order of ids as well', async () => {
    const [one, two, three] = await replicas(world());
    const limited = ['a', 'b', 'c'].map((id) => listing(id, { limited: true }));
    await stockShop(one, { listings: limited, stock: 1 });
    const stranger = await hold(one, (tx) => tx.lockStock(['b']));
    const waiter = two.transaction(async (tx) => await tx.lockStock(['c', 'a', 'b']));
    await waiting(world(), 'two', 'one');
    const free = await three.transaction(async (tx) => await tx.lockFreeStock(['a', 'b', 'c']));
    expect({ ...free, stock: free.stock.map((row) => row.listing) }).toEqual({
      stock: ['c'],
      taken: ['a', 'b'],
    });
    await stranger.rollBack();
    await waiter;
  });

  test('a transaction has what it locked, and may lock it again', async () => {
    const [one] = await replicas(world());
    await openAccounts(one, ['p1']);
    await one.transaction(async (tx) => {
      await tx.lockAccounts(['p1']);
      expect(await tx.lockAccounts(['p1'])).toHaveLength(1);
      expect(await tx.lockFreeAccounts(['p1'])).toMatchObject({ taken: [] });
    });
  });

  test('what is free is locked, what is taken is named, what is missing is neither; and nobody is waited for', async () => {
    const [one, two] = await replicas(world());
    await openAccounts(one, ['free', 'taken']);
    const limited = ['free', 'taken'].map((id) => listing(id, { limited: true }));
    await stockShop(one, { listings: limited, stock: 1 });
    const stranger = await hold(one, async (tx) => {
      await tx.lockAccounts(['taken']);
      await tx.lockStock(['taken']);
    });
    const second = await hold(two, async (tx) => {
      const accounts = await tx.lockFreeAccounts(['taken', 'missing', 'free']);
      expect(accounts.taken).toEqual(['taken']);
      expect(accounts.accounts).toMatchObject([{ id: 'free' }]);
      const stock = await tx.lockFreeStock(['taken', 'missing', 'free']);
      expect(stock.taken).toEqual(['taken']);
      expect(stock.stock).toMatchObject([{ listing: 'free', remaining: 1 }]);
    });
    await stranger.rollBack();
    const third = one.transaction(async (tx) => await tx.lockAccounts(['free']));
    await waiting(world(), 'one', 'two');
    await second.commit();
    await third;
  });

  test('nothing asked for is nothing locked', async () => {
    const [one] = await replicas(world());
    await one.transaction(async (tx) => {
      await tx.ensureAccounts([]);
      expect(await tx.lockAccounts([])).toEqual([]);
      expect(await tx.lockFreeAccounts([])).toEqual({ accounts: [], taken: [] });
      expect(await tx.lockStock([])).toEqual([]);
      expect(await tx.lockFreeStock([])).toEqual({ stock: [], taken: [] });
      expect(await tx.recorded([])).toEqual([]);
      expect(await tx.holdings([])).toEqual([]);
      expect(await tx.purchaseCounts([])).toEqual([]);
    });
  });

  test('a throw gives the locks back', async () => {
    const [one, two] = await replicas(world());
    await openAccounts(one, ['p1']);
    const first = await hold(one, (tx) => tx.lockAccounts(['p1']));
    const second = two.transaction(async (tx) => await tx.lockAccounts(['p1']));
    await waiting(world(), 'two', 'one');
    await first.rollBack();
    expect(await second).toHaveLength(1);
  });

  test('transfers in opposite directions at once neither deadlock nor lose anything', async () => {
    const [one] = await replicas(world());
    await stockShop(one, { assets: [asset('gold')] });
    await openAccounts(one, ['a', 'b'], { gold: 1_000 });
    const transfers = Array.from({ length: 40 }, (_, i) =>
      i % 2 === 0 ? move(one, 'a', 'b', 3) : move(one, 'b', 'a', 1),
    );
    await Promise.all(transfers);
    expect(await goldOf(one, ['a', 'b'])).toEqual({ a: 960, b: 1_040 });
  });
});

async function move(repository: Repository, from: string, to: string, quantity: number): Promise<void> {
  await repository.transaction(async (tx) => {
    const keys = [from, to].map((account) => ({ account, asset: 'gold' }));
    const [, holdings] = await Promise.all([tx.lockAccounts([from, to]), tx.holdings(keys)]);
    tx.save({
      holdings: holdings.map((row) => ({
        ...row,
        quantity: row.quantity + (row.account === from ? -quantity : quantity),
      })),
    });
  });
}

async function goldOf(repository: Repository, accounts: readonly string[]): Promise<Record<string, number>> {
  const holdings = await repository.transaction((tx) =>
    tx.holdings(accounts.map((account) => ({ account, asset: 'gold' }))),
  );
  return Object.fromEntries(holdings.map(({ account, quantity }) => [account, quantity]));
}
