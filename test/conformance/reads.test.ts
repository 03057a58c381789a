import { describe, expect, test } from 'vitest';
import type { Changes, Page, Repository } from '../../src/repository/repository.ts';
import { hold } from '../support/held-transaction.ts';
import { operationRecord } from '../support/operation-records.ts';
import { replicas } from '../support/replicas.ts';
import { onEveryRepository } from '../support/repositories.ts';
import { asset, listing, openAccounts, rewardRule, stockShop } from '../support/shop.ts';

onEveryRepository((world) => {
  test('what does not exist is not found', async () => {
    const [one] = await replicas(world());
    expect(await one.asset('none')).toBeUndefined();
    expect(await one.listing('none')).toBeUndefined();
    expect(await one.account('none')).toBeUndefined();
    expect(await one.inventory('none', { after: null, limit: 9 })).toBeUndefined();
    expect(await one.entries('none', { before: null, limit: 9 })).toBeUndefined();
    expect(await one.operation('0199a7c2-0000-7000-8000-000000000000')).toBeUndefined();
    expect(await one.operation('not a UUID')).toBeUndefined();
    expect(await one.assets({ after: null, limit: 9 })).toEqual([]);
    expect(await one.listings({ after: null, limit: 9 })).toEqual([]);
    expect(await one.feed(0, 9)).toEqual([]);
    expect(await one.rewardRule('none')).toBeUndefined();
    expect(await one.rewardRules({ after: null, limit: 9 })).toEqual([]);
    expect(await one.enabledRewardRules()).toEqual([]);
    const nothing = { assets: new Map(), listings: new Map(), rewardRules: new Map() };
    expect(await one.catalog()).toEqual({ version: 1, ...nothing });
  });

  test('reads wait for nobody’s locks, and see nothing that has not been committed', async () => {
    const [one, two] = await replicas(world());
    await stockShop(one, {
      assets: [asset('gold')],
      listings: [listing('sale', { limited: true })],
      stock: 5,
    });
    await openAccounts(one, ['p1'], { gold: 1 });
    const first = await hold(one, async (tx) => {
      await Promise.all([
        tx.lockCatalog(),
        tx.ensureAccounts(['new']),
        tx.lockAccounts(['p1', 'new']),
        tx.lockStock(['sale']),
      ]);
      tx.save({
        assets: [asset('wood')],
        holdings: [{ account: 'p1', asset: 'gold', quantity: 9, reserved: 0 }],
        stock: [{ listing: 'sale', offered: 5, refilled: 0, remaining: 4, refilledAtMs: 0 }],
        profiles: [{ id: 'new', capacity: 1, properties: {} }],
        operations: [operationRecord('p1')],
      });
    });
    const seen = async () => ({
      assets: (await two.assets({ after: null, limit: 9 })).map(({ id }) => id),
      catalog: (await two.catalog()).version,
      gold: (await two.inventory('p1', { after: null, limit: 9 }))?.holdings[0]?.quantity,
      remaining: (await two.listing('sale'))?.stock?.remaining,
      account: (await two.account('new'))?.capacity,
      operations: (await two.feed(0, 9)).length,
    });
    expect(await seen()).toEqual({
      assets: ['gold'],
      catalog: 2,
      gold: 1,
      remaining: 5,
      account: undefined,
      operations: 0,
    });
    await first.commit();
    expect(await seen()).toEqual({
      assets: ['gold', 'wood'],
      catalog: 3,
      gold: 9,
      remaining: 4,
      account: 1,
      operations: 1,
    });
  });

  test('an account that was only ensured does not exist for readers, until it is put or has an operation', async () => {
    const [one] = await replicas(world());
    await one.transaction((tx) => tx.ensureAccounts(['put', 'used']));
    const views = async (id: string) => [
      await one.account(id),
      await one.inventory(id, { after: null, limit: 9 }),
      await one.entries(id, { before: null, limit: 9 }),
    ];
    expect(await views('put')).toEqual([undefined, undefined, undefined]);
    await save(one, ['put', 'used'], {
      profiles: [{ id: 'put', capacity: null, properties: {} }],
      accounts: [{ id: 'used', version: 1, declared: false, capacity: null, stacks: 0, atMs: 0 }],
    });
    for (const [id, version] of [
      ['put', 0],
      ['used', 1],
    ] as const) {
      expect(await views(id)).toEqual([
        { id, version, capacity: null, properties: {} },
        { version, holdings: [] },
        [],
      ]);
    }
  });

  test('assets, listings and reward rules come in the byte order of ids, page by page', async () => {
    const [one] = await replicas(world());
    const ids = ['B', 'Z', 'a', 'a-b', 'a.b', 'a:b', 'a@b', 'aB', 'a_b', 'ab'];
    await stockShop(one, {
      assets: [...ids].reverse().map((id) => asset(id)),
      listings: [...ids].reverse().map((id) => listing(id)),
      rewardRules: [...ids].reverse().map((id) => rewardRule(id)),
    });
    const pages = async (read: (page: Page) => Promise<readonly { id: string }[]>) => {
      const found: string[][] = [];
      for (let after: string | null = null; ; after = found.at(-1)?.at(-1) ?? null) {
        const page = await read({ after, limit: 4 });
        if (page.length === 0) return found;
        found.push(page.map(({ id }) => id));
      }
    };
    const expected = [ids.slice(0, 4), ids.slice(4, 8), ids.slice(8)];
    expect(await pages((page) => one.assets(page))).toEqual(expected);
    expect(await pages((page) => one.listings(page))).toEqual(expected);
    expect(await pages((page) => one.rewardRules(page))).toEqual(expected);
  });

  test('the reward rules that are enabled can be had all at once', async () => {
    const [one] = await replicas(world());
    const rules = ['on', 'off', 'also-on'].map((id) => rewardRule(id, { enabled: id !== 'off' }));
    await stockShop(one, { rewardRules: rules });
    const ids = (await one.enabledRewardRules()).map(({ id }) => id);
    expect(ids.sort()).toEqual(['also-on', 'on']);
    expect(await one.enabledRewardRules()).toContainEqual(rewardRule('on'));
  });

  test('a listing shows its stock with the refills that are due, and none while it is unlimited', async () => {
    const [one] = await replicas(world());
    const restock = { quantity: 3, everySeconds: 10, max: 8 };
    await stockShop(one, {
      listings: [
        listing('due', { limited: true, restock }),
        listing('still', { limited: true }),
        listing('unlimited'),
      ],
      stock: 5,
    });
    const agoMs = Math.floor(await world().nowMs()) - 10_500;
    await save(one, [], {
      stock: [
        { listing: 'due', offered: 5, refilled: 1, remaining: 4, refilledAtMs: agoMs },
        { listing: 'still', offered: 5, refilled: 0, remaining: 2, refilledAtMs: agoMs },
        { listing: 'unlimited', offered: 5, refilled: 0, remaining: 2, refilledAtMs: agoMs },
      ],
    });
    expect(await one.listing('due')).toEqual({
      ...listing('due', { limited: true, restock }),
      stock: { offered: 5, remaining: 7 },
    });
    const all = await one.listings({ after: null, limit: 9 });
    expect(all.map(({ id, stock }) => [id, stock])).toEqual([
      ['due', { offered: 5, remaining: 7 }],
      ['still', { offered: 5, remaining: 2 }],
      ['unlimited', null],
    ]);
  });

  describe('an inventory', () => {
    const stock = async (): Promise<Repository> => {
      const [one] = await replicas(world());
      await stockShop(one, {
        assets: [
          asset('B', { kind: 'item', tags: ['sharp'] }),
          asset('a-b', { kind: 'item', tags: ['sharp', 'old'] }),
          asset('a.b', { kind: 'item' }),
          asset('gold', { tags: ['old'] }),
          asset('spent'),
          asset('xp', { kind: 'stat' }),
        ],
      });
      await openAccounts(one, ['p1'], { xp: 1, spent: 0, gold: 2, 'a.b': 3, 'a-b': 4, B: 5, unknown: 9 });
      await openAccounts(one, ['p2'], { gold: 77 });
      await save(one, ['p1'], { holdings: [{ account: 'p1', asset: 'gold', quantity: 2, reserved: 1 }] });
      return one;
    };
    const idsOf = (inventory: Awaited<ReturnType<Repository['inventory']>>) =>
      inventory?.holdings.map((holding) => holding.asset);

    test('shows what an account holds above zero, in the byte order of assets', async () => {
      const one = await stock();
      expect(await one.inventory('p1', { after: null, limit: 99 })).toEqual({
        version: 0,
        holdings: [
          { asset: 'B', kind: 'item', quantity: 5, reserved: 0 },
          { asset: 'a-b', kind: 'item', quantity: 4, reserved: 0 },
          { asset: 'a.b', kind: 'item', quantity: 3, reserved: 0 },
          { asset: 'gold', kind: 'currency', quantity: 2, reserved: 1 },
          { asset: 'xp', kind: 'stat', quantity: 1, reserved: 0 },
        ],
      });
    });

    test('shows the level of a stat that has levels, and of nothing else', async () => {
      const [one] = await replicas(world());
      const levels = [1, 10, 100];
      await stockShop(one, {
        assets: [
          asset('a', { kind: 'stat', properties: { levels, more: true } }),
          asset('b', { kind: 'stat', properties: { levels: 'three' } }),
          asset('c', { kind: 'stat', properties: { more: true } }),
          asset('d', { properties: { levels } }),
        ],
      });
      await openAccounts(one, ['p1'], { a: 99, b: 99, c: 99, d: 99 });
      const held = { quantity: 99, reserved: 0 };
      expect((await one.inventory('p1', { after: null, limit: 9 }))?.holdings).toStrictEqual([
        { asset: 'a', kind: 'stat', ...held, level: 2 },
        { asset: 'b', kind: 'stat', ...held },
        { asset: 'c', kind: 'stat', ...held },
        { asset: 'd', kind: 'currency', ...held },
      ]);
    });

    test('is filtered by kind, tag and asset, also together', async () => {
      const one = await stock();
      const filtered = async (filter: object) =>
        idsOf(await one.inventory('p1', { after: null, limit: 9, ...filter }));
      expect(await filtered({ kind: 'item' })).toEqual(['B', 'a-b', 'a.b']);
      expect(await filtered({ tag: 'old' })).toEqual(['a-b', 'gold']);
      expect(await filtered({ asset: 'gold' })).toEqual(['gold']);
      expect(await filtered({ kind: 'item', tag: 'old' })).toEqual(['a-b']);
      expect(await filtered({ kind: 'item', asset: 'gold' })).toEqual([]);
      expect(await filtered({ tag: 'none' })).toEqual([]);
      expect(await filtered({ asset: 'spent' })).toEqual([]);
    });

    test('comes page by page, also when filtered', async () => {
      const one = await stock();
      expect(idsOf(await one.inventory('p1', { after: null, limit: 2 }))).toEqual(['B', 'a-b']);
      expect(idsOf(await one.inventory('p1', { after: 'a-b', limit: 2 }))).toEqual(['a.b', 'gold']);
      expect(idsOf(await one.inventory('p1', { after: 'a-', limit: 1, kind: 'item' }))).toEqual(['a-b']);
      expect(idsOf(await one.inventory('p1', { after: 'xp', limit: 2 }))).toEqual([]);
    });
  });

  describe('the entries of an account', () => {
    const line = (account: string, version: number, assetId: string, delta: number) => ({
      account,
      version,
      asset: assetId,
      delta,
      balance: 100 + delta,
    });
    const first = operationRecord('p1', {
      type: 'grant',
      atMs: 1_000,
      entries: [line('p1', 1, 'B', 1), line('p1', 1, 'a', 2), line('p1', 1, 'gold', 3)],
    });
    const second = operationRecord('p2', {
      type: 'transfer',
      atMs: 2_001,
      entries: [line('p1', 2, 'gold', -4), line('p2', 1, 'gold', 4)],
    });
    const third = operationRecord('p1', { type: 'sale', atMs: 3_000, entries: [line('p1', 10, 'a', 5)] });
    const stock = async (): Promise<Repository> => {
      const [one] = await replicas(world());
      await openAccounts(one, ['p1', 'p2']);
      await save(one, ['p1', 'p2'], { operations: [first, second, third] });
      return one;
    };
    const shown = (lines: Awaited<ReturnType<Repository['entries']>>) =>
      lines?.map(({ version, asset: id }) => `${version} ${id}`);

    test('are shown newest first, each with its operation', async () => {
      const one = await stock();
      expect(await one.entries('p1', { before: null, limit: 99 })).toEqual([
        { operation: third.id, type: 'sale', atMs: 3_000, version: 10, asset: 'a', delta: 5, balance: 105 },
        {
          operation: second.id,
          type: 'transfer',
          atMs: 2_001,
          version: 2,
          asset: 'gold',
          delta: -4,
          balance: 96,
        },
        {
          operation: first.id,
          type: 'grant',
          atMs: 1_000,
          version: 1,
          asset: 'gold',
          delta: 3,
          balance: 103,
        },
        { operation: first.id, type: 'grant', atMs: 1_000, version: 1, asset: 'a', delta: 2, balance: 102 },
        { operation: first.id, type: 'grant', atMs: 1_000, version: 1, asset: 'B', delta: 1, balance: 101 },
      ]);
      expect(shown(await one.entries('p2', { before: null, limit: 99 }))).toEqual(['1 gold']);
    });

    test('come page by page, also in the midst of an operation and when filtered', async () => {
      const one = await stock();
      const page = async (before: { version: number; asset: string } | null, rest: object = {}) =>
        shown(await one.entries('p1', { before, limit: 2, ...rest }));
      expect(await page(null)).toEqual(['10 a', '2 gold']);
      expect(await page({ version: 2, asset: 'gold' })).toEqual(['1 gold', '1 a']);
      expect(await page({ version: 1, asset: 'a' })).toEqual(['1 B']);
      expect(await page({ version: 1, asset: 'B' })).toEqual([]);
      expect(await page(null, { asset: 'gold' })).toEqual(['2 gold', '1 gold']);
      expect(await page({ version: 2, asset: 'gold' }, { asset: 'gold' })).toEqual(['1 gold']);
      expect(await page(null, { asset: 'none' })).toEqual([]);
    });
  });
});

async function save(repository: Repository, accounts: readonly string[], changes: Changes): Promise<void> {
  await repository.transaction(async (tx) => {
    const stock = (changes.stock ?? []).map((row) => row.listing);
    await Promise.all([tx.lockCatalog(), tx.lockAccounts(accounts), tx.lockStock(stock)]);
    tx.save(changes);
  });
}
