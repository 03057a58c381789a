import { describe, expect, test } from 'vitest';
import { balancesOf } from '../../test/support/balances.ts';
import { receiptOf, startExecutor, wordFor } from '../../test/support/executors.ts';
import { replicas } from '../../test/support/replicas.ts';
import { onEveryRepository } from '../../test/support/repositories.ts';
import { buying, granting, request } from '../../test/support/requests.ts';
import { asset, gold, listing, openAccounts, stockShop, sword } from '../../test/support/shop.ts';
import type { Listing } from '../domain/listing.ts';
import { MemoryRepository } from '../repository/memory/memory-repository.ts';
import type { Repository } from '../repository/repository.ts';

onEveryRepository((world) => {
  /** A shop, an executor that knows its catalog, and another replica that changes it behind its back. */
  const stock = async (sells: Partial<Listing>) => {
    const [one, two] = await replicas(world());
    await stockShop(one, { assets: [gold, sword], listings: [listing('sale', sells)], stock: 3 });
    await openAccounts(one, ['p1'], { gold: 100 });
    const { executor, troubles } = startExecutor(one);
    expect(await wordFor(executor.execute(request(granting('p1', { gold: 1 }), { dryRun: true })))).toBe(
      'done',
    );
    return { executor, troubles, one, two };
  };

  test('a price that was changed on another replica is the one that is paid', async () => {
    const { executor, troubles, two, one } = await stock({});
    await replace(two, listing('sale', { price: [{ asset: 'gold', quantity: 25 }] }));
    const outcome = await executor.execute(request(buying('p1', 'sale')));
    expect(receiptOf(outcome).entries).toMatchObject([{ asset: 'gold', delta: -25 }, { asset: 'sword' }]);
    expect(await balancesOf(one, 'p1')).toEqual({ gold: 75, sword: 1 });
    expect(troubles).toEqual({ defects: [], failedBatches: [] });
  });

  test('a listing that became limited takes from its stock', async () => {
    const { executor, two } = await stock({});
    await stockShop(two, { listings: [listing('sale', { limited: true })], stock: 1 });
    expect(await wordFor(executor.execute(request(buying('p1', 'sale'))))).toBe('done');
    expect(await wordFor(executor.execute(request(buying('p1', 'sale'))))).toBe('out_of_stock');
    expect((await two.listing('sale'))?.stock).toEqual({ offered: 1, remaining: 0 });
  });

  test('a listing that became unlimited takes from no stock', async () => {
    const { executor, two } = await stock({ limited: true });
    await replace(two, listing('sale'));
    expect(await wordFor(executor.execute(request(buying('p1', 'sale', 4))))).toBe('done');
    expect(await two.transaction((tx) => tx.lockStock(['sale']))).toMatchObject([{ remaining: 3 }]);
  });

  test('a limit for each account counts from the next purchase on', async () => {
    const { executor, two } = await stock({});
    await replace(two, listing('sale', { perAccountLimit: 1 }));
    expect(await wordFor(executor.execute(request(buying('p1', 'sale'))))).toBe('done');
    expect(await wordFor(executor.execute(request(buying('p1', 'sale'))))).toBe('purchase_limit_reached');
  });

  test('what is new is known at once', async () => {
    const { executor, two } = await stock({});
    await stockShop(two, { assets: [asset('wood')], listings: [listing('new')] });
    expect(await wordFor(executor.execute(request(granting('p1', { wood: 1 }))))).toBe('done');
    expect(await wordFor(executor.execute(request(buying('p1', 'new'))))).toBe('done');
  });
});

describe('a catalog that is replaced again and again', () => {
  test('makes a command give up as busy in the end', async () => {
    const repository = new MemoryRepository();
    await stockShop(repository, { assets: [gold] });
    await openAccounts(repository, ['p1']);
    let transactions = 0;
    const restless: Repository = Object.create(repository) as Repository;
    restless.transaction = async (work, options) => {
      transactions += 1;
      await stockShop(repository, { assets: [asset('gold', { name: `gold ${transactions}` })] });
      return await repository.transaction(work, options);
    };
    restless.catalog = () => repository.catalog();
    const { executor } = startExecutor(restless, { catalogReloads: 2 });
    expect(await wordFor(executor.execute(request(granting('p1', { gold: 1 }))))).toBe('busy');
    // As a batch and then by itself, each time with as many reloads as are allowed.
    expect(transactions).toBe(2 * 3);
    expect(await balancesOf(repository, 'p1')).toEqual({});
  });

  test('and then rests, lets it through', async () => {
    const repository = new MemoryRepository();
    await stockShop(repository, { assets: [gold] });
    let changes = 2;
    const restless: Repository = Object.create(repository) as Repository;
    restless.transaction = async (work, options) => {
      if (changes > 0) await stockShop(repository, { assets: [asset('gold', { name: `${changes}` })] });
      changes -= 1;
      return await repository.transaction(work, options);
    };
    restless.catalog = () => repository.catalog();
    const { executor } = startExecutor(restless, { catalogReloads: 2 });
    expect(await wordFor(executor.execute(request(granting('p1', { gold: 1 }))))).toBe('done');
  });
});

async function replace(repository: Repository, changed: Listing): Promise<void> {
  await repository.transaction(async (tx) => {
    await tx.lockCatalog();
    tx.save({ listings: [changed] });
  });
}
