import { beforeAll, expect, test } from 'vitest';
import { lines, type Api } from '../support/api.ts';
import { expectInvalid, expectProblem, ok, owned, receipt, type Listing } from '../support/resources.ts';
import { serveMarket } from '../support/served-market.ts';

let api: Api;

beforeAll(async () => {
  ({ api } = await serveMarket());
});

async function list(id: string, body: { price: unknown; goods: unknown; stock?: number }): Promise<void> {
  ok(await api.put(`/v1/listings/${id}`, body), 201);
}

test('a purchase takes the price and gives the goods', async () => {
  receipt(await api.grant('p1', { gold: 100 }));
  const bought = receipt(await api.post('/v1/purchases', { account: 'p1', listing: 'sword' }));
  expect(bought).toMatchObject({ type: 'purchase', dryRun: false });
  expect(bought.entries).toEqual([
    { account: 'p1', asset: 'gold', delta: -10, balance: 90 },
    { account: 'p1', asset: 'sword', delta: 1, balance: 1 },
  ]);
  expect(bought.accounts).toEqual({ p1: { version: 2 } });
  expect(bought.details).toEqual({ listing: 'sword', quantity: 1 });
});

test('several units multiply price and goods', async () => {
  receipt(await api.grant('p2', { gold: 100, gem: 100 }));
  await list('bundle', { price: lines({ gold: 10, gem: 2 }), goods: lines({ sword: 1, xp: 25 }) });
  const bought = receipt(await api.purchase('p2', 'bundle', 3));
  expect(bought.entries.map(({ asset, delta, balance }) => [asset, delta, balance])).toEqual([
    ['gem', -6, 94],
    ['gold', -30, 70],
    ['sword', 3, 3],
    ['xp', 75, 75],
  ]);
  expect(bought.details).toEqual({ listing: 'bundle', quantity: 3 });
});

test('a purchase that cannot be paid changes nothing, the stock neither', async () => {
  receipt(await api.grant('p3', { gold: 29 }));
  await list('scarce', { price: lines({ gold: 10 }), goods: lines({ sword: 1 }), stock: 5 });
  expectProblem(await api.purchase('p3', 'scarce', 3), 409, 'insufficient_balance', {
    account: 'p3',
    asset: 'gold',
    required: 30,
    available: 29,
    instance: '/v1/purchases',
  });
  expect(ok<Listing>(await api.get('/v1/listings/scarce'))).toMatchObject({ stock: 5, remaining: 5 });
  expect(await owned(api, 'p3')).toEqual({ gold: 29 });
});

test('a listing without a price is free', async () => {
  ok(await api.put('/v1/accounts/p4', {}), 201);
  await list('gift', { price: [], goods: lines({ gem: 1 }) });
  expect(receipt(await api.purchase('p4', 'gift')).entries).toEqual([
    { account: 'p4', asset: 'gem', delta: 1, balance: 1 },
  ]);
});

test('of an asset that is in price and goods, the difference counts', async () => {
  await list('upgrade', { price: lines({ gold: 10, gem: 3 }), goods: lines({ gem: 1, sword: 1 }) });
  receipt(await api.grant('p5', { gold: 10, gem: 2 }));
  expect(receipt(await api.purchase('p5', 'upgrade')).entries).toEqual([
    { account: 'p5', asset: 'gem', delta: -2, balance: 0 },
    { account: 'p5', asset: 'gold', delta: -10, balance: 0 },
    { account: 'p5', asset: 'sword', delta: 1, balance: 1 },
  ]);
  receipt(await api.grant('p5', { gold: 10, gem: 1 }));
  expectProblem(await api.purchase('p5', 'upgrade'), 409, 'insufficient_balance', { asset: 'gem' });
  expect(await owned(api, 'p5')).toEqual({ gold: 10, gem: 1, sword: 1 });
});

test('several lines of one asset in a price add up', async () => {
  const price = [
    { asset: 'gold', quantity: 6 },
    { asset: 'gold', quantity: 6 },
  ];
  const answer = await api.put('/v1/listings/split', { price, goods: lines({ sword: 1 }) });
  ok(answer, 201);
  receipt(await api.grant('p6', { gold: 11 }));
  expectProblem(await api.purchase('p6', 'split'), 409, 'insufficient_balance', {
    required: 12,
    available: 11,
  });
  receipt(await api.grant('p6', { gold: 1 }));
  expect(receipt(await api.purchase('p6', 'split')).entries).toEqual([
    { account: 'p6', asset: 'gold', delta: -12, balance: 0 },
    { account: 'p6', asset: 'sword', delta: 1, balance: 1 },
  ]);
});

test('a listing that is not there', async () => {
  receipt(await api.grant('p7', { gold: 100 }));
  expectProblem(await api.purchase('p7', 'unheard-of'), 404, 'listing_not_found', { listing: 'unheard-of' });
  expect(await owned(api, 'p7')).toEqual({ gold: 100 });
});

test('the stack limit holds for what is bought', async () => {
  await list('potions', { price: lines({ gold: 1 }), goods: lines({ potion: 2 }), stock: 10 });
  receipt(await api.grant('p8', { gold: 100, potion: 2 }));
  expectProblem(await api.purchase('p8', 'potions', 2), 409, 'stack_limit_exceeded', { asset: 'potion' });
  receipt(await api.purchase('p8', 'potions'));
  expect(await owned(api, 'p8')).toEqual({ gold: 99, potion: 4 });
  expect(ok<Listing>(await api.get('/v1/listings/potions')).remaining).toBe(9);
});

test('a limited stock is sold once, however many want it at the same moment', async () => {
  await list('last', { price: lines({ gold: 1 }), goods: lines({ sword: 1 }), stock: 7 });
  const buyers = Array.from({ length: 30 }, (_, i) => `crowd.${i}`);
  await Promise.all(buyers.map((buyer) => api.grant(buyer, { gold: 1 })));
  const answers = await Promise.all(buyers.map((buyer) => api.purchase(buyer, 'last')));
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(7);
  for (const answer of answers.filter(({ status }) => status !== 201))
    expectProblem(answer, 409, 'out_of_stock', { listing: 'last', remaining: 0 });
  expect(ok<Listing>(await api.get('/v1/listings/last'))).toMatchObject({ stock: 7, remaining: 0 });
});

test('money is spent once, however many purchases want it at the same moment', async () => {
  receipt(await api.grant('p9', { gold: 55 }));
  const answers = await Promise.all(Array.from({ length: 20 }, () => api.purchase('p9', 'sword')));
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(5);
  for (const answer of answers.filter(({ status }) => status !== 201))
    expectProblem(answer, 409, 'insufficient_balance', { required: 10, available: 5 });
  expect(await owned(api, 'p9')).toEqual({ gold: 5, sword: 5 });
});

test.each<[string, unknown, string]>([
  ['no account', { listing: 'sword' }, '/account'],
  ['no listing', { account: 'a' }, '/listing'],
  ['a quantity of nothing', { account: 'a', listing: 'sword', quantity: 0 }, '/quantity'],
  ['a quantity as text', { account: 'a', listing: 'sword', quantity: '1' }, '/quantity'],
  ['a quantity of null', { account: 'a', listing: 'sword', quantity: null }, '/quantity'],
  ['an expected price as a number', { account: 'a', listing: 'sword', expectedPrice: 10 }, '/expectedPrice'],
  [
    'an expected price with a broken line',
    { account: 'a', listing: 'sword', expectedPrice: [{ asset: 'gold', quantity: 0 }] },
    '/expectedPrice/0/quantity',
  ],
  ['a reason', { account: 'a', listing: 'sword', reason: 'x' }, '/reason'],
  ['a price', { account: 'a', listing: 'sword', price: lines({ gold: 1 }) }, '/price'],
])('%s is refused', async (_what, body, path) => {
  expectInvalid(await api.post('/v1/purchases', body), path);
});
