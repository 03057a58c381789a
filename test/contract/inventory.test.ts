import { beforeAll, expect, test } from 'vitest';
import type { Api } from '../support/api.ts';
import { marketAssets } from '../support/market.ts';
import { expectProblem, ok, owned, quantities, receipt, type Inventory } from '../support/resources.ts';
import { serveMarket } from '../support/served-market.ts';

let api: Api;

beforeAll(async () => {
  ({ api } = await serveMarket());
  receipt(await api.grant('hoard', { xp: 7, sword: 2, gold: 50, bow: 1, potion: 3, gem: 4 }));
});

test('an inventory shows what is owned, in the order of the assets', async () => {
  const answer = await api.inventory('hoard');
  const holding = (asset: string, kind: string, quantity: number): object => ({
    asset,
    kind,
    quantity,
    reserved: 0,
    available: quantity,
  });
  expect(ok(answer)).toEqual({
    account: 'hoard',
    version: 1,
    holdings: [
      holding('bow', 'item', 1),
      holding('gem', 'currency', 4),
      holding('gold', 'currency', 50),
      holding('potion', 'item', 3),
      holding('sword', 'item', 2),
      holding('xp', 'stat', 7),
    ],
    nextCursor: null,
  });
  expect(answer.headers.etag).toBe('"1"');
});

test('an account that owns nothing has an empty inventory', async () => {
  ok(await api.put('/v1/accounts/empty', {}), 201);
  const answer = await api.inventory('empty');
  expect(ok(answer)).toEqual({ account: 'empty', version: 0, holdings: [], nextCursor: null });
  expect(answer.headers.etag).toBe('"0"');
});

test('what has been used up is not shown', async () => {
  receipt(await api.grant('spender', { gold: 5, gem: 1 }));
  receipt(await api.consume('spender', { gold: 5 }));
  expect(await owned(api, 'spender')).toEqual({ gem: 1 });
});

test.each<[string, Record<string, number>]>([
  ['?kind=currency', { gem: 4, gold: 50 }],
  ['?kind=item', { bow: 1, potion: 3, sword: 2 }],
  ['?kind=stat', { xp: 7 }],
  ['?tag=weapon', { bow: 1, sword: 2 }],
  ['?tag=sharp', { sword: 2 }],
  ['?tag=wea', {}],
  ['?tag=Weapon', {}],
  ['?asset=gold', { gold: 50 }],
  ['?asset=unheard-of', {}],
  ['?kind=item&tag=sharp&asset=sword', { sword: 2 }],
  ['?kind=currency&tag=weapon', {}],
  ['?kind=stat&asset=gold', {}],
])('%s', async (query, expected) => {
  const inventory = ok<Inventory>(await api.inventory('hoard', query));
  expect(quantities(inventory)).toEqual(expected);
  expect(inventory).toMatchObject({ account: 'hoard', version: 1, nextCursor: null });
});

test('a tag is found however it is written', async () => {
  ok(await api.put('/v1/assets/odd', { name: 'Odd', kind: 'item', tags: ['a&b=c d/é', '100%'] }), 201);
  receipt(await api.grant('tagged', { odd: 1, gold: 1 }));
  for (const tag of ['a&b=c d/é', '100%'])
    expect(
      quantities(ok<Inventory>(await api.inventory('tagged', `?tag=${encodeURIComponent(tag)}`))),
    ).toEqual({
      odd: 1,
    });
});

test.each([
  '?kind=weapon',
  '?kind=',
  '?kind=item&kind=stat',
  '?asset=a%20b',
  '?tag=',
  '?colour=red',
  '?limit=x',
])('%s is refused', async (query) => {
  expectProblem(await api.inventory('hoard', query), 400, 'invalid_request', {
    instance: '/v1/accounts/hoard/inventory',
  });
});

test.each(['"1"', 'W/"1"', '"0", "1"', '"0",W/"1"', '*'])(
  'If-None-Match: %s is answered 304',
  async (tag) => {
    const answer = await api.inventory('hoard', '', { 'if-none-match': tag });
    expect(answer).toMatchObject({ status: 304, text: '', headers: { etag: '"1"' } });
  },
);

test.each(['"0"', '"2"', '"11"', '"0", "2"'])('If-None-Match: %s is answered in full', async (tag) => {
  const answer = await api.inventory('hoard', '', { 'if-none-match': tag });
  expect(ok<Inventory>(answer).holdings).toHaveLength(6);
  expect(answer.headers.etag).toBe('"1"');
});

test('the ETag changes with each operation, and an old one is answered in full', async () => {
  receipt(await api.grant('watched', { gold: 1 }));
  const first = (await api.inventory('watched')).headers.etag;
  expect(await api.inventory('watched', '', { 'if-none-match': first })).toMatchObject({ status: 304 });
  receipt(await api.grant('watched', { gold: 1 }));
  const second = await api.inventory('watched', '', { 'if-none-match': first });
  expect(quantities(ok<Inventory>(second))).toEqual({ gold: 2 });
  expect([first, second.headers.etag]).toEqual(['"1"', '"2"']);
});

test('If-None-Match does not make an unknown account known', async () => {
  expectProblem(await api.inventory('nobody', '', { 'if-none-match': '*' }), 404, 'account_not_found');
});

test.each([1, 2, 3, 5, 6, 200])('pages of %i hold everything once, in order', async (limit) => {
  const seen: string[] = [];
  let query = `?limit=${limit}`;
  for (let pages = 1; ; pages += 1) {
    const page = ok<Inventory>(await api.inventory('hoard', query));
    seen.push(...page.holdings.map(({ asset }) => asset));
    if (page.nextCursor === null) {
      expect(pages).toBe(Math.max(1, Math.ceil(6 / limit)));
      break;
    }
    expect(page.holdings).toHaveLength(limit);
    query = `?limit=${limit}&cursor=${encodeURIComponent(page.nextCursor)}`;
  }
  expect(seen).toEqual(Object.keys(marketAssets).sort());
});

test('a filter goes on over the pages', async () => {
  const first = ok<Inventory>(await api.inventory('hoard', '?kind=item&limit=2'));
  expect(Object.keys(quantities(first))).toEqual(['bow', 'potion']);
  const cursor = encodeURIComponent(String(first.nextCursor));
  const second = ok<Inventory>(await api.inventory('hoard', `?kind=item&limit=2&cursor=${cursor}`));
  expect(Object.keys(quantities(second))).toEqual(['sword']);
  expect(second.nextCursor).toBeNull();
});
