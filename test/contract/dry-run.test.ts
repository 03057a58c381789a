import { beforeAll, expect, test } from 'vitest';
import { lines, type Api } from '../support/api.ts';
import {
  expectProblem,
  ok,
  owned,
  receipt,
  type Listing,
  type Page,
  type Receipt,
} from '../support/resources.ts';
import { serveMarket } from '../support/served-market.ts';

let api: Api;

beforeAll(async () => {
  ({ api } = await serveMarket());
});

async function recorded(): Promise<number> {
  return ok<Page<Receipt>>(await api.get('/v1/operations?limit=200')).data.length;
}

test.each<[string, (account: string) => unknown]>([
  ['grants', (account) => ({ account, assets: lines({ gold: 5 }) })],
  ['consumptions', (account) => ({ account, assets: lines({ gold: 5 }) })],
  ['transfers', (account) => ({ from: account, to: `${account}.2`, assets: lines({ gold: 5 }) })],
  ['purchases', (account) => ({ account, listing: 'sword', quantity: 2 })],
  ['sales', (account) => ({ account, asset: 'sword', quantity: 1 })],
])(
  'a dry run of %s answers the receipt it would have had, and changes nothing',
  async (collection, bodyFor) => {
    const account = `dry.${collection}`;
    receipt(await api.grant(account, { gold: 50, sword: 1 }));
    const body = bodyFor(account);
    const before = await recorded();
    const dry = await api.post(`/v1/${collection}?dryRun=true`, body, { key: 'dry' });
    const rehearsed = receipt(dry);
    expect(rehearsed.dryRun).toBe(true);
    expect(await owned(api, account)).toEqual({ gold: 50, sword: 1 });
    expect(ok(await api.get(`/v1/accounts/${account}`))).toMatchObject({ version: 1 });
    expect(await recorded()).toBe(before);
    expectProblem(await api.get(`/v1/operations/${rehearsed.id}`), 404, 'operation_not_found');
    expectProblem(await api.get(`/v1/accounts/${account}.2`), 404, 'account_not_found');
    // The key is unused: the real thing comes next, then its replay.
    const real = receipt(await api.post(`/v1/${collection}`, body, { key: 'dry' }));
    expect(real).toEqual({ ...rehearsed, id: real.id, at: real.at, dryRun: false });
    expect(real.id).not.toBe(rehearsed.id);
  },
);

test('a dry run takes no stock and counts towards no limit', async () => {
  const listing = { price: [], goods: lines({ xp: 1 }), stock: 1, perAccountLimit: 1 };
  ok(await api.put('/v1/listings/single', listing), 201);
  ok(await api.put('/v1/accounts/looker', {}), 201);
  for (let i = 0; i < 3; i += 1)
    expect(
      receipt(await api.post('/v1/purchases?dryRun=true', { account: 'looker', listing: 'single' })).dryRun,
    ).toBe(true);
  expect(ok<Listing>(await api.get('/v1/listings/single')).remaining).toBe(1);
  receipt(await api.purchase('looker', 'single'));
  expectProblem(
    await api.post('/v1/purchases?dryRun=true', { account: 'looker', listing: 'single' }),
    409,
    'out_of_stock',
  );
});

test('a dry run of a restock adds nothing', async () => {
  ok(await api.put('/v1/listings/stocked', { price: [], goods: lines({ xp: 1 }), stock: 1 }), 201);
  const dry = receipt(await api.post('/v1/listings/stocked/restock?dryRun=true', { quantity: 5 }));
  expect(dry).toMatchObject({ type: 'restock', dryRun: true });
  expect(ok(await api.get('/v1/listings/stocked'))).toMatchObject({ stock: 1, remaining: 1 });
});

test('a dry run answers the rejection it would have had', async () => {
  receipt(await api.grant('broke', { gold: 9 }));
  const body = { account: 'broke', listing: 'sword' };
  const dry = await api.post('/v1/purchases?dryRun=true', body);
  const real = await api.post('/v1/purchases', body);
  expectProblem(dry, 409, 'insufficient_balance', { asset: 'gold', required: 10, available: 9 });
  expect(dry.body).toEqual({ ...(real.body as object), requestId: dry.headers['x-request-id'] });
  expectProblem(
    await api.post('/v1/grants?dryRun=true', { account: 'x', assets: lines({ moonstone: 1 }) }),
    404,
    'asset_not_found',
  );
  expectProblem(
    await api.post('/v1/transfers?dryRun=true', { from: 'broke', to: 'broke', assets: lines({ gold: 1 }) }),
    409,
    'same_account',
  );
});

test('a dry run of the first grant to an account does not create it', async () => {
  const dry = receipt(
    await api.post('/v1/grants?dryRun=true', { account: 'ghost', assets: lines({ gold: 5 }) }),
  );
  expect(dry.entries).toEqual([{ account: 'ghost', asset: 'gold', delta: 5, balance: 5 }]);
  expect(dry.accounts).toEqual({ ghost: { version: 1 } });
  for (const path of ['', '/inventory', '/entries'])
    expectProblem(await api.get(`/v1/accounts/ghost${path}`), 404, 'account_not_found');
});

test('a dry run respects If-Match', async () => {
  receipt(await api.grant('matched', { gold: 5 }));
  const body = { account: 'matched', assets: lines({ gold: 1 }) };
  const headers = { 'if-match': '"0"' };
  expectProblem(await api.post('/v1/grants?dryRun=true', body, { headers }), 412, 'version_mismatch');
  receipt(await api.post('/v1/grants?dryRun=true', body, { headers: { 'if-match': '"1"' } }));
});

test('dryRun=false is no dry run', async () => {
  expect(
    receipt(await api.post('/v1/grants?dryRun=false', { account: 'wet', assets: lines({ gold: 5 }) })).dryRun,
  ).toBe(false);
  expect(ok(await api.get('/v1/accounts/wet'))).toMatchObject({ version: 1 });
});

test.each([
  'dryRun=',
  'dryRun',
  'dryRun=1',
  'dryRun=yes',
  'dryRun=TRUE',
  'dryRun=true&dryRun=false',
  'dryrun=true',
  'dry_run=true',
])('?%s is refused rather than applied', async (query) => {
  const answer = await api.post(`/v1/grants?${query}`, { account: 'unsure', assets: lines({ gold: 5 }) });
  expectProblem(answer, 400, 'invalid_request');
  expectProblem(await api.get('/v1/accounts/unsure'), 404, 'account_not_found');
});

test('many dry runs beside real operations leave the sum exact', async () => {
  receipt(await api.grant('mixed', { gold: 100 }));
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, i) =>
      api.post(`/v1/consumptions${i % 2 === 0 ? '?dryRun=true' : ''}`, {
        account: 'mixed',
        assets: lines({ gold: 1 }),
      }),
    ),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array(60).fill(201));
  expect(ok(await api.inventory('mixed'))).toMatchObject({ version: 31, holdings: [{ quantity: 70 }] });
});
