import { beforeAll, expect, test } from 'vitest';
import { lines, type Api } from '../support/api.ts';
import { expectInvalid, expectProblem, ok, owned, receipt } from '../support/resources.ts';
import { serveMarket } from '../support/served-market.ts';

let api: Api;

beforeAll(async () => {
  ({ api } = await serveMarket());
});

test('a sale takes the asset and pays its sell price for each', async () => {
  receipt(await api.grant('s1', { sword: 3 }));
  const sold = receipt(await api.sell('s1', 'sword', 2));
  expect(sold).toMatchObject({
    type: 'sale',
    dryRun: false,
    accounts: { s1: { version: 2 } },
    details: { asset: 'sword', quantity: 2 },
  });
  expect(sold.entries).toEqual([
    { account: 's1', asset: 'gold', delta: 8, balance: 8 },
    { account: 's1', asset: 'sword', delta: -2, balance: 1 },
  ]);
});

test('a sell price may be of several assets', async () => {
  const sellPrice = lines({ gold: 7, gem: 1 });
  ok(await api.put('/v1/assets/crown', { name: 'Crown', kind: 'item', sellPrice }), 201);
  receipt(await api.grant('s2', { crown: 2 }));
  receipt(await api.sell('s2', 'crown', 2));
  expect(await owned(api, 's2')).toEqual({ gem: 2, gold: 14 });
});

test('more than there is', async () => {
  receipt(await api.grant('s3', { sword: 1 }));
  expectProblem(await api.sell('s3', 'sword', 2), 409, 'insufficient_balance', {
    account: 's3',
    asset: 'sword',
    required: 2,
    available: 1,
    instance: '/v1/sales',
  });
  expect(await owned(api, 's3')).toEqual({ sword: 1 });
});

test('what has no sell price', async () => {
  receipt(await api.grant('s4', { bow: 1 }));
  expectProblem(await api.sell('s4', 'bow', 1), 409, 'not_sellable', {
    title: 'Not sellable',
    asset: 'bow',
    retryable: false,
  });
  expectProblem(await api.sell('s4', 'moonstone', 1), 404, 'asset_not_found', { asset: 'moonstone' });
  expect(await owned(api, 's4')).toEqual({ bow: 1 });
});

test('a sell price that is taken away ends the sales', async () => {
  const body = { name: 'Relic', kind: 'item' };
  ok(await api.put('/v1/assets/relic', { ...body, sellPrice: lines({ gold: 3 }) }), 201);
  receipt(await api.grant('s5', { relic: 2 }));
  receipt(await api.sell('s5', 'relic', 1));
  ok(await api.put('/v1/assets/relic', body));
  expectProblem(await api.sell('s5', 'relic', 1), 409, 'not_sellable', { asset: 'relic' });
  expect(await owned(api, 's5')).toEqual({ gold: 3, relic: 1 });
});

test('what is paid may hit the stack limit of the money', async () => {
  ok(await api.put('/v1/assets/token', { name: 'Token', kind: 'currency', stackLimit: 5 }), 201);
  ok(await api.put('/v1/assets/badge', { name: 'Badge', kind: 'item', sellPrice: lines({ token: 3 }) }), 201);
  receipt(await api.grant('s6', { badge: 2 }));
  expectProblem(await api.sell('s6', 'badge', 2), 409, 'stack_limit_exceeded', { asset: 'token' });
  receipt(await api.sell('s6', 'badge', 1));
  expect(await owned(api, 's6')).toEqual({ badge: 1, token: 3 });
});

test.each<[string, unknown, string]>([
  ['no account', { asset: 'sword', quantity: 1 }, '/account'],
  ['no asset', { account: 'a', quantity: 1 }, '/asset'],
  ['no quantity', { account: 'a', asset: 'sword' }, '/quantity'],
  ['a quantity of less than nothing', { account: 'a', asset: 'sword', quantity: -1 }, '/quantity'],
  ['assets instead', { account: 'a', asset: 'sword', quantity: 1, assets: [] }, '/assets'],
])('%s is refused', async (_what, body, path) => {
  expectInvalid(await api.post('/v1/sales', body), path);
});
