import { beforeAll, expect, test } from 'vitest';
import type { Api } from '../support/api.ts';
import { expectInvalid, expectProblem, ok, owned, receipt } from '../support/resources.ts';
import { serveMarket } from '../support/served-market.ts';

let api: Api;

beforeAll(async () => {
  ({ api } = await serveMarket());
});

test('an account that is put comes back with its defaults', async () => {
  const account = { id: 'plain', version: 0, capacity: null, properties: {} };
  expect(ok(await api.put('/v1/accounts/plain', {}), 201)).toEqual(account);
  expect(ok(await api.get('/v1/accounts/plain'))).toEqual(account);
});

test('an account comes back with everything that was put', async () => {
  const body = { capacity: 20, properties: { name: 'Zoë', guild: { id: 7, ranks: ['a', null] } } };
  expect(ok(await api.put('/v1/accounts/full', body), 201)).toEqual({ id: 'full', version: 0, ...body });
  expect(ok(await api.get('/v1/accounts/full'))).toEqual({ id: 'full', version: 0, ...body });
});

test('an account that is not there', async () => {
  for (const path of ['', '/inventory', '/entries']) {
    expectProblem(await api.get(`/v1/accounts/nobody${path}`), 404, 'account_not_found', {
      title: 'Account not found',
      account: 'nobody',
      instance: `/v1/accounts/nobody${path}`,
    });
  }
});

test('the first grant creates the account, as if it had been put', async () => {
  receipt(await api.grant('granted', { gold: 1 }));
  expect(ok(await api.get('/v1/accounts/granted'))).toEqual({
    id: 'granted',
    version: 1,
    capacity: null,
    properties: {},
  });
});

test('the first transfer to an account creates it', async () => {
  receipt(await api.grant('giver', { gold: 5 }));
  const { accounts } = receipt(await api.transfer('giver', 'taker', { gold: 5 }));
  expect(accounts).toEqual({ giver: { version: 2 }, taker: { version: 1 } });
  expect(ok(await api.get('/v1/accounts/taker'))).toMatchObject({ version: 1 });
});

test('the version goes up by one with each operation, and with nothing else', async () => {
  const version = async (): Promise<unknown> =>
    ok<{ version: number }>(await api.get('/v1/accounts/counted')).version;
  ok(await api.put('/v1/accounts/counted', {}), 201);
  expect(await version()).toBe(0);
  receipt(await api.grant('counted', { gold: 100, sword: 2, gem: 3 }));
  expect(await version()).toBe(1);
  ok(await api.put('/v1/accounts/counted', { capacity: 5, properties: { a: 1 } }));
  expect(await version()).toBe(1);
  receipt(await api.consume('counted', { gold: 1 }));
  receipt(await api.purchase('counted', 'sword'));
  receipt(await api.sell('counted', 'sword', 1));
  receipt(await api.transfer('counted', 'counted.2', { gold: 1 }));
  receipt(await api.transfer('counted.2', 'counted', { gold: 1 }));
  expect(await version()).toBe(6);
  expectProblem(await api.consume('counted', { gold: 1000 }), 409, 'insufficient_balance');
  receipt(await api.grant('counted', { gold: 1 }, { key: 'counted' }));
  ok(await api.grant('counted', { gold: 1 }, { key: 'counted' }), 201);
  ok(
    await api.post('/v1/grants?dryRun=true', {
      account: 'counted',
      assets: [{ asset: 'gold', quantity: 1 }],
    }),
    201,
  );
  expect(await version()).toBe(7);
});

test('changing an account leaves what it owns alone', async () => {
  receipt(await api.grant('owner', { gold: 10 }));
  expect(ok(await api.put('/v1/accounts/owner', { properties: { a: 1 } }))).toEqual({
    id: 'owner',
    version: 1,
    capacity: null,
    properties: { a: 1 },
  });
  expect(await owned(api, 'owner')).toEqual({ gold: 10 });
});

test('a rejected operation creates no account', async () => {
  expectProblem(await api.grant('unborn', { moonstone: 1 }), 404, 'asset_not_found');
  expectProblem(await api.consume('unborn', { gold: 1 }), 404, 'account_not_found', { account: 'unborn' });
  expectProblem(await api.purchase('unborn', 'sword'), 404, 'account_not_found', { account: 'unborn' });
  expectProblem(await api.sell('unborn', 'sword', 1), 404, 'account_not_found', { account: 'unborn' });
  expectProblem(await api.transfer('unborn', 'unborn.2', { gold: 1 }), 404, 'account_not_found', {
    account: 'unborn',
  });
  receipt(await api.grant('small', { gold: 1 }));
  expectProblem(await api.transfer('small', 'unborn', { gold: 2 }), 409, 'insufficient_balance');
  for (const account of ['unborn', 'unborn.2'])
    expectProblem(await api.get(`/v1/accounts/${account}`), 404, 'account_not_found');
});

test('an account holds no more stacks of items than its capacity', async () => {
  ok(await api.put('/v1/accounts/bag', { capacity: 2 }), 201);
  expectProblem(await api.grant('bag', { sword: 1, bow: 1, potion: 1 }), 409, 'capacity_exceeded', {
    title: 'Capacity exceeded',
    account: 'bag',
    retryable: false,
  });
  receipt(await api.grant('bag', { sword: 1, bow: 1 }));
  receipt(await api.grant('bag', { sword: 10, gold: 5, xp: 5 }));
  expectProblem(await api.grant('bag', { potion: 1 }), 409, 'capacity_exceeded');
  receipt(await api.consume('bag', { bow: 1 }));
  receipt(await api.grant('bag', { potion: 1 }));
});

test('a capacity holds for what is bought and received as well', async () => {
  ok(await api.put('/v1/accounts/pouch', { capacity: 0 }), 201);
  receipt(await api.grant('pouch', { gold: 100 }));
  expectProblem(await api.purchase('pouch', 'sword'), 409, 'capacity_exceeded', { account: 'pouch' });
  receipt(await api.grant('mule', { bow: 1 }));
  expectProblem(await api.transfer('mule', 'pouch', { bow: 1 }), 409, 'capacity_exceeded', {
    account: 'pouch',
  });
  ok(await api.put('/v1/accounts/pouch', {}));
  receipt(await api.purchase('pouch', 'sword'));
});

test.each<[string, unknown, string]>([
  ['a capacity as text', { capacity: '5' }, '/capacity'],
  ['a broken capacity', { capacity: 1.5 }, '/capacity'],
  ['a capacity of less than nothing', { capacity: -1 }, '/capacity'],
  ['a capacity past what is exact', { capacity: 9007199254740992 }, '/capacity'],
  ['properties that are text', { properties: 'x' }, '/properties'],
  ['properties that are null', { properties: null }, '/properties'],
  ['a version', { version: 3 }, '/version'],
])('%s is refused', async (_what, body, path) => {
  expectInvalid(await api.put('/v1/accounts/faulty', body), path);
  expectProblem(await api.get('/v1/accounts/faulty'), 404, 'account_not_found');
});
