import { describe, expect, test } from 'vitest';
import { executorSettings, startExecutor, wordFor } from '../../test/support/executors.ts';
import { FaultyRepository } from '../../test/support/faulty-repository.ts';
import { hold } from '../../test/support/held-transaction.ts';
import { replicas, waiting } from '../../test/support/replicas.ts';
import { onEveryRepository } from '../../test/support/repositories.ts';
import { buying, granting, request } from '../../test/support/requests.ts';
import { asset, gold, listing, openAccounts, rewardRule, stockShop, sword } from '../../test/support/shop.ts';
import type { Listing } from '../domain/listing.ts';
import type { ListingInput } from '../domain/offer.ts';
import { MemoryRepository } from '../repository/memory/memory-repository.ts';
import type { Repository } from '../repository/repository.ts';
import { CatalogEditor } from './catalog-editor.ts';

function editorOf(repository: Repository): CatalogEditor {
  return new CatalogEditor({ repository, backoff: executorSettings.backoff });
}

/** A listing as a client puts it, with this much stock. */
function sale(stock: number | null | undefined, rest: Partial<Listing> = {}): ListingInput {
  return { ...listing('sale', rest), stock };
}

onEveryRepository((world) => {
  const open = async () => {
    const [one, two] = await replicas(world());
    await stockShop(one, { assets: [gold, sword] });
    return { one, two, editor: editorOf(one) };
  };
  const versionOf = async (repository: Repository) => (await repository.catalog()).version;

  describe('putting an asset', () => {
    test('creates it, or replaces it, and makes another catalog of it only if it is another', async () => {
      const { one, editor } = await open();
      const wood = asset('wood', { tags: ['raw'], properties: { weight: 3 } });
      expect(await editor.putAsset(wood)).toEqual({ kind: 'put', created: true });
      expect(await versionOf(one)).toBe(3);
      expect(await editor.putAsset({ ...wood, tags: [...wood.tags] })).toEqual({
        kind: 'put',
        created: false,
      });
      expect(await versionOf(one)).toBe(3);
      expect(await editor.putAsset({ ...wood, name: 'Oak' })).toEqual({ kind: 'put', created: false });
      expect(await versionOf(one)).toBe(4);
      expect(await one.asset('wood')).toEqual({ ...wood, name: 'Oak' });
    });

    test('of another kind is refused: stacks are counted by it', async () => {
      const { one, editor } = await open();
      expect(await editor.putAsset(asset('gold', { kind: 'item' }))).toMatchObject({
        code: 'catalog_conflict',
        members: { asset: 'gold', kind: 'currency' },
      });
      expect(await one.asset('gold')).toEqual(gold);
    });

    test('that sells for what is not there, or for itself, is refused', async () => {
      const { editor } = await open();
      const price = (id: string) => asset('wood', { sellPrice: [{ asset: id, quantity: 1 }] });
      expect(await editor.putAsset(price('none'))).toMatchObject({
        code: 'asset_not_found',
        members: { asset: 'none' },
      });
      expect(await editor.putAsset(price('gold'))).toMatchObject({ created: true });
      expect(await editor.putAsset(price('wood'))).toMatchObject({
        code: 'catalog_conflict',
        members: { asset: 'wood' },
      });
    });
  });

  describe('putting a listing', () => {
    test('without stock is no operation', async () => {
      const { one, editor } = await open();
      expect(await editor.putListing(sale(undefined), 'key:admin')).toEqual({ kind: 'put', created: true });
      expect(await one.listing('sale')).toEqual({ ...listing('sale'), stock: null });
      expect(await one.feed(0, 9)).toEqual([]);
      expect(await versionOf(one)).toBe(3);
    });

    test('with stock is on record as a restock of its listing', async () => {
      const { one, editor } = await open();
      expect(await editor.putListing(sale(5), 'key:admin')).toMatchObject({ created: true });
      expect(await one.listing('sale')).toMatchObject({ limited: true, stock: { offered: 5, remaining: 5 } });
      const [item] = await one.feed(0, 9);
      const receipt = JSON.parse(item?.receipt ?? '') as { id: string };
      expect(receipt).toMatchObject({
        type: 'restock',
        actor: 'key:admin',
        dryRun: false,
        entries: [],
        accounts: {},
        details: { listing: 'sale', quantity: 5, stock: 5, remaining: 5 },
      });
      expect(await one.operation(receipt.id)).toMatchObject({ home: '/listings/sale' });
    });

    test('again changes nothing; with more stock it adds the difference to what is left', async () => {
      const { one, editor } = await open();
      await openAccounts(one, ['p1'], { gold: 100 });
      await editor.putListing(sale(5), 'key:admin');
      expect(await wordFor(startExecutor(one).executor.execute(request(buying('p1', 'sale', 2))))).toBe(
        'done',
      );
      const version = await versionOf(one);
      expect(await editor.putListing(sale(5), 'key:admin')).toEqual({ kind: 'put', created: false });
      expect(await one.feed(0, 9)).toHaveLength(2);
      expect(await versionOf(one)).toBe(version);
      expect(await editor.putListing(sale(8), 'key:admin')).toMatchObject({ kind: 'put' });
      expect((await one.listing('sale'))?.stock).toEqual({ offered: 8, remaining: 6 });
      expect(await editor.putListing(sale(1), 'key:admin')).toMatchObject({
        code: 'catalog_conflict',
        members: { sold: 2 },
      });
      expect((await one.listing('sale'))?.stock).toEqual({ offered: 8, remaining: 6 });
    });

    test('that takes or gives what is not there is refused', async () => {
      const { one, editor } = await open();
      const lines = [{ asset: 'none', quantity: 1 }];
      for (const rest of [{ price: lines }, { goods: lines }]) {
        expect(await editor.putListing(sale(5, rest), 'key:admin')).toMatchObject({
          code: 'asset_not_found',
        });
      }
      expect(await one.listing('sale')).toBeUndefined();
    });

    test('waits for those who are buying of it, and others wait for it', async () => {
      const { one, two, editor } = await open();
      await editor.putListing(sale(5), 'key:admin');
      const buyer = await hold(two, async (tx) => {
        const [row] = await tx.lockStock(['sale']);
        if (row !== undefined) tx.save({ stock: [{ ...row, remaining: 1 }] });
      });
      const putting = editor.putListing(sale(7), 'key:admin');
      await waiting(world(), 'one', 'two');
      await buyer.commit();
      await putting;
      expect((await one.listing('sale'))?.stock).toEqual({ offered: 7, remaining: 3 });
    });
  });

  describe('putting a reward rule', () => {
    const xp = rewardRule('xp', { grant: [{ asset: 'gold', quantity: 1 }] });
    const sinceOf = async (repository: Repository) => (await repository.rewardRule('xp'))?.since;

    test('creates it, or replaces it, and makes another catalog of it only if it is another', async () => {
      const { one, editor } = await open();
      expect(await editor.putRewardRule(xp)).toEqual({ kind: 'put', created: true });
      expect(await versionOf(one)).toBe(3);
      expect(await editor.putRewardRule({ ...xp, on: { ...xp.on } })).toEqual({
        kind: 'put',
        created: false,
      });
      expect(await versionOf(one)).toBe(3);
      expect(await editor.putRewardRule({ ...xp, dailyLimit: 3 })).toEqual({ kind: 'put', created: false });
      expect(await versionOf(one)).toBe(4);
      expect(await one.rewardRule('xp')).toEqual({ ...xp, dailyLimit: 3 });
    });

    test('brings it into force for what comes after, and again when it is enabled again', async () => {
      const { one, editor } = await open();
      await openAccounts(one, ['p1']);
      const { executor } = startExecutor(one);
      const grant = async () => {
        await executor.execute(request(granting('p1', { gold: 1 })));
        return (await one.feed(0, 99)).at(-1)?.position;
      };
      const first = await grant();
      await editor.putRewardRule(xp);
      expect(await sinceOf(one)).toBe(first);
      await grant();
      await editor.putRewardRule({ ...xp, dailyLimit: 3 });
      await editor.putRewardRule({ ...xp, enabled: false });
      expect(await sinceOf(one)).toBe(first);
      const third = await grant();
      await editor.putRewardRule(xp);
      expect(await sinceOf(one)).toBe(third);
    });

    test('that names what is not there is refused', async () => {
      const { one, editor } = await open();
      const on = (rest: object) => ({ ...xp, on: { ...xp.on, ...rest } });
      for (const [input, code, members] of [
        [on({ listing: 'none' }), 'listing_not_found', { listing: 'none' }],
        [on({ asset: 'none' }), 'asset_not_found', { asset: 'none' }],
        [{ ...xp, grant: [{ asset: 'nothing', quantity: 1 }] }, 'asset_not_found', { asset: 'nothing' }],
      ] as const)
        expect(await editor.putRewardRule(input)).toMatchObject({ code, members });
      expect(await one.rewardRule('xp')).toBeUndefined();
    });
  });

  test('of changes made at once on several replicas each gets a version of its own', async () => {
    const [one, two, three] = await replicas(world());
    await stockShop(one, { assets: [gold, sword] });
    const puts = [one, two, three, one, two, three].map((repository, i) =>
      editorOf(repository).putAsset(asset(`wood${i}`)),
    );
    await Promise.all(puts);
    expect(await versionOf(one)).toBe(2 + 6);
    expect((await one.assets({ after: 'wood', limit: 9 })).map(({ id }) => id)).toHaveLength(6);
  });
});

test('a change whose commit was lost is made again, and once', async () => {
  const repository = new MemoryRepository();
  await stockShop(repository, { assets: [gold, sword] });
  const faults = [{ kind: 'commit kept' }, { kind: 'commit lost' }] as const;
  let attempts = 0;
  const faulty = new FaultyRepository({ repository, nextFault: () => faults[attempts++] });
  expect(await editorOf(faulty).putListing(sale(5), 'key:admin')).toMatchObject({ kind: 'put' });
  // The second attempt found it made already, and so did the third: the stock was added once.
  expect(attempts).toBe(3);
  expect((await repository.listing('sale'))?.stock).toEqual({ offered: 5, remaining: 5 });
  expect(await repository.feed(0, 9)).toHaveLength(1);
});
