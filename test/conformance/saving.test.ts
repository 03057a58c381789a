import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Asset } from '../../src/domain/asset.ts';
import type { Listing } from '../../src/domain/listing.ts';
import { quantityMax } from '../../src/domain/quantity.ts';
import type { RewardRule } from '../../src/domain/reward-rule.ts';
import type { Changes, Repository } from '../../src/repository/repository.ts';
import { operationRecord } from '../support/operation-records.ts';
import { replicas } from '../support/replicas.ts';
import { onEveryRepository } from '../support/repositories.ts';
import { until } from '../support/until.ts';
import { asset, listing, openAccounts, rewardRule } from '../support/shop.ts';

onEveryRepository((world) => {
  test('the largest quantities survive', async () => {
    const [one] = await replicas(world());
    const largest = {
      account: {
        id: 'p1',
        version: quantityMax,
        declared: true,
        capacity: null,
        stacks: quantityMax,
        atMs: 0,
      },
      holding: { account: 'p1', asset: 'gold', quantity: quantityMax, reserved: quantityMax },
      count: { account: 'p1', listing: 'sale', count: quantityMax, sinceMs: 0 },
      stock: {
        listing: 'sale',
        offered: quantityMax,
        refilled: quantityMax,
        remaining: quantityMax,
        refilledAtMs: 0,
      },
    };
    const entry = { account: 'p1', asset: 'gold', version: quantityMax, balance: quantityMax };
    const operations = [
      operationRecord('p1', { entries: [{ ...entry, delta: quantityMax }], atMs: 1 }),
      operationRecord('p1', { entries: [{ ...entry, version: 1, delta: -quantityMax }], atMs: 2 }),
    ];
    await openAccounts(one, ['p1']);
    await save(one, ['p1'], {
      operations,
      accounts: [largest.account],
      holdings: [largest.holding],
      purchases: [largest.count],
      stock: [largest.stock],
      profiles: [{ id: 'p1', capacity: quantityMax, properties: {} }],
    });
    await one.transaction(async (tx) => {
      expect(await tx.lockAccounts(['p1'])).toEqual([{ ...largest.account, capacity: quantityMax }]);
      expect(await tx.lockStock(['sale'])).toEqual([largest.stock]);
      expect(await tx.holdings([{ account: 'p1', asset: 'gold' }])).toEqual([largest.holding]);
      expect(await tx.purchaseCounts([{ account: 'p1', listing: 'sale' }])).toEqual([largest.count]);
    });
    expect(await one.entries('p1', { before: null, limit: 9 })).toMatchObject([
      { version: quantityMax, delta: quantityMax, balance: quantityMax },
      { version: 1, delta: -quantityMax, balance: quantityMax },
    ]);
  });

  test('a row that is saved again is replaced, and only that one', async () => {
    const [one] = await replicas(world());
    await openAccounts(one, ['p1', 'p2'], { gold: 5 });
    await save(one, ['p1'], { holdings: [{ account: 'p1', asset: 'gold', quantity: 6, reserved: 1 }] });
    await save(one, ['p1'], { holdings: [{ account: 'p1', asset: 'wood', quantity: 1, reserved: 0 }] });
    const keys = ['p1', 'p2'].flatMap((account) => [
      { account, asset: 'gold' },
      { account, asset: 'wood' },
      { account, asset: 'none' },
    ]);
    const holdings = await one.transaction((tx) => tx.holdings(keys));
    expect(byAccount(holdings)).toEqual([
      { account: 'p1', asset: 'gold', quantity: 6, reserved: 1 },
      { account: 'p1', asset: 'wood', quantity: 1, reserved: 0 },
      { account: 'p2', asset: 'gold', quantity: 5, reserved: 0 },
    ]);
  });

  test('what clients set of an account and what operations do to it leave each other alone', async () => {
    const [one] = await replicas(world());
    await openAccounts(one, ['p1']);
    const account = { id: 'p1', version: 4, declared: false, capacity: 99, stacks: 2, atMs: 1_000 };
    await save(one, ['p1'], { accounts: [account] });
    await save(one, ['p1'], { profiles: [{ id: 'p1', capacity: 7, properties: { guild: 'bakers' } }] });
    expect(await one.transaction((tx) => tx.lockAccounts(['p1']))).toEqual([
      { ...account, declared: true, capacity: 7 },
    ]);
    await save(one, ['p1'], { accounts: [{ ...account, version: 5 }] });
    expect(await one.account('p1')).toEqual({
      id: 'p1',
      version: 5,
      capacity: 7,
      properties: { guild: 'bakers' },
    });
  });

  test('the catalog’s version goes up with each change of it, and with nothing else', async () => {
    const [one] = await replicas(world());
    const versions = async (): Promise<number[]> => {
      const { catalogVersion } = await one.transaction((tx) => tx.now());
      return [catalogVersion, (await one.catalog()).version];
    };
    expect(await versions()).toEqual([1, 1]);
    await openAccounts(one, ['p1'], { gold: 1 });
    const none = { assets: [], listings: [], rewardRules: [] };
    await save(one, ['p1'], { operations: [operationRecord('p1')], ...none });
    expect(await versions()).toEqual([1, 1]);
    await save(one, [], { assets: [asset('gold')], listings: [listing('sale')] });
    expect(await versions()).toEqual([2, 2]);
    await save(one, [], { listings: [listing('sale', { perAccountLimit: 2 })] });
    expect(await versions()).toEqual([3, 3]);
    await save(one, [], { assets: [asset('gold', { name: 'Gold' })] });
    expect(await versions()).toEqual([4, 4]);
    await save(one, [], { rewardRules: [rewardRule('xp')] });
    expect(await versions()).toEqual([5, 5]);
    const undone = one.transaction(async (tx) => {
      await tx.lockCatalog();
      tx.save({ assets: [asset('gold', { name: 'Silver' })] });
      throw new Error('no');
    });
    await expect(undone).rejects.toThrow('no');
    expect(await versions()).toEqual([5, 5]);
  });

  test('the last position given out is told within a transaction, also of operations that are not kept yet', async () => {
    const [one, two] = await replicas(world());
    await openAccounts(one, ['p1']);
    const last = async () => await two.transaction((tx) => tx.lastPosition());
    const before = await last();
    await save(one, ['p1'], { operations: [operationRecord('p1'), operationRecord('p1')] });
    expect(await last()).toBe(before + 2);
    const [, item] = await one.feed(before, 9);
    expect(item?.position).toBe(before + 2);
    const entry = { account: 'p1', version: 1, asset: 'gold', delta: 1, balance: 1 };
    const goOn = await world().stallCommits('one');
    const saving = save(one, ['p1'], { operations: [operationRecord('p1', { entries: [entry] })] });
    await until('the commit is stuck', async () => await world().isStalled('one'));
    expect(await last()).toBe(before + 3);
    await goOn();
    await saving;
  });

  test('assets, listings and reward rules come back as they were put, whatever is in them', async () => {
    const [one] = await replicas(world());
    const property = fc.asyncProperty(anyAsset, anyListing, anyRule, async (anAsset, aListing, aRule) => {
      await save(one, [], { assets: [anAsset], listings: [aListing], rewardRules: [aRule] });
      expect(await one.asset(anAsset.id)).toEqual(anAsset);
      expect(await one.listing(aListing.id)).toEqual({ ...aListing, stock: null });
      expect(await one.rewardRule(aRule.id)).toEqual(aRule);
      const locked = await one.transaction((tx) => tx.lockCatalog());
      for (const catalog of [await one.catalog(), locked]) {
        expect(catalog.assets.get(anAsset.id)).toEqual(anAsset);
        expect(catalog.listings.get(aListing.id)).toEqual(aListing);
        expect(catalog.rewardRules.get(aRule.id)).toEqual(aRule);
      }
    });
    await fc.assert(property, { numRuns: 60 });
  });

  test('receipts, keys and hashes come back to the letter, whatever is in them', async () => {
    const [one] = await replicas(world());
    await openAccounts(one, ['p1']);
    const property = fc.asyncProperty(anyText, anyText, anyText, async (key, requestHash, reason) => {
      // Spaces and the order of members as given: a replay is word for word.
      const receipt = `{ "z": ${JSON.stringify(reason)},  "a" : 1 }`;
      const record = operationRecord('p1', { requestHash, receipt });
      const idempotencyKey = `${record.id}${key}`;
      await save(one, ['p1'], { operations: [{ ...record, idempotencyKey }] });
      const { id: operation, actor } = record;
      const wanted = { home: 'p1', actor, key: idempotencyKey };
      const other = { ...wanted, key: `${idempotencyKey} ` };
      const recorded = await one.transaction((tx) => tx.recorded([other, wanted]));
      expect(recorded).toEqual([{ ...wanted, operation, requestHash, receipt }]);
      expect(await one.operation(operation)).toEqual({ home: 'p1', receipt });
    });
    await fc.assert(property, { numRuns: 60 });
  });
});

/** Text of any characters, the awkward ones of array literals often; not NUL, which PostgreSQL has no place for. */
const anyText = fc
  .oneof(
    fc.string({ unit: fc.constantFrom('"', '\\', '{', '}', ',', "'", ' ', '\n', 'NULL', 'null', 'ß', '💰') }),
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('', 'NULL', '{}', '\\', '"', '"NULL"', '{"a"}'),
  )
  .filter((text) => !text.includes('\0'));
const anyQuantity = fc.oneof(
  fc.integer({ min: 1, max: 10 }),
  fc.constantFrom(quantityMax, quantityMax - 1, 4_294_967_296),
);
const anyLines = fc.array(fc.record({ asset: anyText, quantity: anyQuantity }), { maxLength: 3 });
const anyTimeMs = fc.option(fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) }));
const anyProperties = fc.dictionary(
  anyText.filter((name) => name !== '__proto__'),
  fc.oneof(anyText, fc.boolean(), fc.integer(), fc.constant(null), fc.array(anyText, { maxLength: 2 })),
  { noNullPrototype: true },
);

const anyAsset: fc.Arbitrary<Asset> = fc.record({
  id: fc.constantFrom('a', 'B', 'a.b', 'a-b'),
  name: anyText,
  kind: fc.constantFrom('currency', 'item', 'stat'),
  stackLimit: fc.option(anyQuantity),
  tradable: fc.boolean(),
  sellPrice: fc.option(anyLines),
  tags: fc.array(anyText, { maxLength: 3 }),
  properties: anyProperties,
});

const anyListing: fc.Arbitrary<Listing> = fc.record({
  id: fc.constantFrom('l', 'L', 'l.m', 'l-m'),
  price: anyLines,
  goods: anyLines,
  limited: fc.boolean(),
  perAccountLimit: fc.option(anyQuantity),
  limitPeriodSeconds: fc.option(anyQuantity),
  opensAtMs: anyTimeMs,
  closesAtMs: anyTimeMs,
  restock: fc.option(fc.record({ quantity: anyQuantity, everySeconds: anyQuantity, max: anyQuantity })),
});

const anyRule: fc.Arbitrary<RewardRule> = fc.record({
  id: fc.constantFrom('r', 'R', 'r.s', 'r-s'),
  on: fc.record({ type: anyText, listing: fc.option(anyText), asset: fc.option(anyText) }),
  grant: anyLines,
  dailyLimit: fc.option(anyQuantity),
  enabled: fc.boolean(),
  since: fc.oneof(anyQuantity, fc.constant(0)),
});

async function save(repository: Repository, accounts: readonly string[], changes: Changes): Promise<void> {
  await repository.transaction(async (tx) => {
    await Promise.all([tx.lockCatalog(), tx.lockAccounts(accounts), tx.lockStock(['sale'])]);
    tx.save(changes);
  });
}

function byAccount<Row extends { account: string; asset: string }>(rows: readonly Row[]): Row[] {
  return [...rows].sort((a, b) => (`${a.account} ${a.asset}` < `${b.account} ${b.asset}` ? -1 : 1));
}
