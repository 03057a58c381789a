import { beforeAll, expect, test } from 'vitest';
import { lines, type Api } from '../support/api.ts';
import { expectInvalid, expectProblem, ok, type Listing, type Page } from '../support/resources.ts';
import { serveMarket } from '../support/served-market.ts';

let api: Api;

beforeAll(async () => {
  ({ api } = await serveMarket());
});

const price = lines({ gold: 10 });
const goods = lines({ sword: 1 });

test('a listing that is put comes back with its defaults, unlimited', async () => {
  const listing = {
    id: 'plain',
    price,
    goods,
    stock: null,
    remaining: null,
    perAccountLimit: null,
    limitPeriodSeconds: null,
    opensAt: null,
    closesAt: null,
    restock: null,
  };
  expect(ok(await api.put('/v1/listings/plain', { price, goods }), 201)).toEqual(listing);
  expect(ok(await api.get('/v1/listings/plain'))).toEqual(listing);
});

test('a listing comes back with everything that was put, its times in UTC with milliseconds', async () => {
  const body = {
    price: lines({ gold: 10, gem: 2 }),
    goods: lines({ sword: 1, xp: 50 }),
    stock: 7,
    perAccountLimit: 2,
    limitPeriodSeconds: 86_400,
    opensAt: '2026-01-01T00:00:00Z',
    closesAt: '2099-12-31T23:59:59.5Z',
    restock: { quantity: 2, everySeconds: 3600, max: 9 },
  };
  const listing = {
    id: 'full',
    ...body,
    remaining: 7,
    opensAt: '2026-01-01T00:00:00.000Z',
    closesAt: '2099-12-31T23:59:59.500Z',
  };
  expect(ok(await api.put('/v1/listings/full', body), 201)).toEqual(listing);
  expect(ok(await api.get('/v1/listings/full'))).toEqual(listing);
});

test('a time in another zone is the same moment in UTC', async () => {
  const body = { price, goods, opensAt: '2026-06-01T12:00:00+02:00' };
  expect(ok(await api.put('/v1/listings/zoned', body), 201)).toMatchObject({
    opensAt: '2026-06-01T10:00:00.000Z',
  });
});

test('putting a listing again replaces it, and what is left out takes its default', async () => {
  const first = { price, goods, perAccountLimit: 1, closesAt: '2099-01-01T00:00:00Z' };
  ok(await api.put('/v1/listings/replaced', first), 201);
  const replaced = ok(await api.put('/v1/listings/replaced', { price: lines({ gem: 3 }), goods }));
  expect(replaced).toEqual({
    id: 'replaced',
    price: lines({ gem: 3 }),
    goods,
    stock: null,
    remaining: null,
    perAccountLimit: null,
    limitPeriodSeconds: null,
    opensAt: null,
    closesAt: null,
    restock: null,
  });
  expect(ok(await api.get('/v1/listings/replaced'))).toEqual(replaced);
});

test('a listing that is not there', async () => {
  expectProblem(await api.get('/v1/listings/unheard-of'), 404, 'listing_not_found', {
    title: 'Listing not found',
    listing: 'unheard-of',
  });
});

test.each(['price', 'goods'])('a %s in an asset that is not there', async (member) => {
  const body = { price, goods, [member]: lines({ moonstone: 1 }) };
  expectProblem(await api.put('/v1/listings/astray', body), 404, 'asset_not_found', { asset: 'moonstone' });
  expectProblem(await api.get('/v1/listings/astray'), 404, 'listing_not_found');
});

test.each<[string, Record<string, unknown>, string]>([
  ['no price', { price: undefined }, '/price'],
  ['no goods', { goods: undefined }, '/goods'],
  ['goods of nothing', { goods: [{ asset: 'sword', quantity: 0 }] }, '/goods/0/quantity'],
  ['a price as text', { price: '10' }, '/price'],
  ['a broken price', { price: [{ asset: 'gold', quantity: 9.99 }] }, '/price/0/quantity'],
  ['a price of less than nothing', { price: [{ asset: 'gold', quantity: -1 }] }, '/price/0/quantity'],
  ['a stock of less than nothing', { stock: -1 }, '/stock'],
  ['a broken stock', { stock: 0.5 }, '/stock'],
  ['a stock as text', { stock: '10' }, '/stock'],
  ['a stock past what is exact', { stock: 9007199254740992 }, '/stock'],
  ['a limit of nothing', { perAccountLimit: 0 }, '/perAccountLimit'],
  ['a period of nothing', { perAccountLimit: 1, limitPeriodSeconds: 0 }, '/limitPeriodSeconds'],
  ['a period as a duration', { perAccountLimit: 1, limitPeriodSeconds: '1d' }, '/limitPeriodSeconds'],
  ['a day for a time', { opensAt: '2026-01-01' }, '/opensAt'],
  ['seconds for a time', { closesAt: 1767225600 }, '/closesAt'],
  ['a time that does not exist', { closesAt: '2026-02-30T00:00:00Z' }, '/closesAt'],
  ['a time without a zone', { closesAt: '2026-02-20T00:00:00' }, '/closesAt'],
  [
    'a restock rule without its maximum',
    { stock: 1, restock: { quantity: 1, everySeconds: 1 } },
    '/restock/max',
  ],
  [
    'a restock rule that never restocks',
    { stock: 1, restock: { quantity: 1, everySeconds: 0, max: 1 } },
    '/restock/everySeconds',
  ],
  ['an unknown field', { discount: 5 }, '/discount'],
  ['what is only given back', { remaining: 5 }, '/remaining'],
])('%s is refused, and says where', async (_what, change, path) => {
  expectInvalid(await api.put('/v1/listings/faulty', { price, goods, ...change }), path);
  expectProblem(await api.get('/v1/listings/faulty'), 404, 'listing_not_found');
});

test('a time that is written rightly, but that no clock here shows, is taken or refused; it breaks nothing', async () => {
  for (const opensAt of ['2016-12-31T23:59:60Z', '0000-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z']) {
    const answer = await api.put('/v1/listings/timeless', { price, goods, opensAt });
    expect([200, 201, 400], `${opensAt}: ${answer.text}`).toContain(answer.status);
  }
});

test('the list holds every listing once, with what is left of it', async () => {
  for (const id of ['Z', 'a', 'Y'])
    ok(await api.put(`/v1/listings/order.${id}`, { price, goods, stock: 3 }), 201);
  ok(await api.grant('lister', { gold: 10 }), 201);
  ok(await api.purchase('lister', 'order.a'), 201);
  const page = ok<Page<Listing>>(await api.get('/v1/listings?limit=200'));
  const ids = page.data.map(({ id }) => id);
  expect(page.nextCursor).toBeNull();
  expect(ids).toEqual([...ids].sort());
  expect(
    page.data
      .filter(({ id }) => id.startsWith('order.'))
      .map(({ id, stock, remaining }) => [id, stock, remaining]),
  ).toEqual([
    ['order.Y', 3, 3],
    ['order.Z', 3, 3],
    ['order.a', 3, 2],
  ]);
});
