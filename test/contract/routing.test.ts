import { beforeAll, describe, expect, test } from 'vitest';
import type { Api } from '../support/api.ts';
import { expectInvalid, expectProblem, ok } from '../support/resources.ts';
import { serveReplica } from '../support/served-replicas.ts';

let api: Api;

beforeAll(async () => {
  ({ api } = await serveReplica());
  ok(await api.put('/v1/assets/gold', { name: 'Gold', kind: 'currency' }), 201);
  ok(await api.grant('p1', { gold: 1 }), 201);
});

test.each([
  '/',
  '/v1',
  '/v1/',
  '/v2/assets',
  '/v1/asset',
  '/v1/ASSETS',
  '/V1/assets',
  '/v1/assets/gold/price',
  '/v1/accounts/p1/inventories',
  '/v1/accounts/p1/inventory/gold',
  '/v1//assets',
  '//v1/assets',
  '/v1/./assets',
  '/v1/accounts',
  '/.env',
  '/v1/operations/x/y',
  '/v1/assets%2fgold',
])('GET %s is not a route', async (path) => {
  expectProblem(await api.get(path), 404, 'not_found', {
    type: '/docs/errors#not_found',
    title: 'Not found',
    instance: path,
    retryable: false,
  });
});

test('no method makes a route of what is none', async () => {
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'])
    expectProblem(await api.call(method, '/v1/nothing', { json: {} }), 404, 'not_found');
});

const routes: readonly [string, readonly string[]][] = [
  ['/v1/assets', ['GET']],
  ['/v1/assets/gold', ['GET', 'PUT']],
  ['/v1/listings', ['GET']],
  ['/v1/listings/sword', ['GET', 'PUT']],
  ['/v1/listings/sword/restock', ['POST']],
  ['/v1/reward-rules', ['GET']],
  ['/v1/reward-rules/xp', ['GET', 'PUT']],
  ['/v1/accounts/p1', ['GET', 'PUT']],
  ['/v1/accounts/p1/inventory', ['GET']],
  ['/v1/accounts/p1/entries', ['GET']],
  ['/v1/grants', ['POST']],
  ['/v1/consumptions', ['POST']],
  ['/v1/transfers', ['POST']],
  ['/v1/purchases', ['POST']],
  ['/v1/sales', ['POST']],
  ['/v1/operations', ['GET']],
  ['/v1/operations/0199a7c2-0000-7000-8000-000000000000', ['GET']],
];

describe.each(routes)('%s', (path, allowed) => {
  test('names its methods to whoever uses another', async () => {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter(
      (name) => !allowed.includes(name),
    )) {
      const answer = await api.call(method, path);
      expectProblem(answer, 405, 'method_not_allowed', {
        title: 'Method not allowed',
        instance: path,
        retryable: false,
      });
      const named = (answer.headers.allow ?? '').split(',').map((name) => name.trim());
      expect(named.filter((name) => !['HEAD', 'OPTIONS'].includes(name)).toSorted()).toEqual(allowed);
    }
  });

  test('a wrong method is one with a body as well', async () => {
    const method = allowed.includes('PUT') ? 'POST' : 'PUT';
    expectProblem(await api.call(method, path, { json: { any: 'thing' } }), 405, 'method_not_allowed');
    expectProblem(await api.call('DELETE', path, { raw: '{' }), 405, 'method_not_allowed');
  });
});

test('a method that is rarely heard of is a wrong one as well', async () => {
  for (const method of ['PROPFIND', 'REPORT', 'QUERY', 'LINK', 'PURGE'])
    expectProblem(await api.call(method, '/v1/grants'), 405, 'method_not_allowed');
});

test('OPTIONS is a wrong method where there are no origins to allow', async () => {
  expectProblem(await api.call('OPTIONS', '/v1/grants'), 405, 'method_not_allowed');
});

test.each([
  '/v1/assets/%',
  '/v1/assets/%zz',
  '/v1/assets/%e4',
  '/v1/assets/%c3%28',
  '/v1/accounts/%ff/inventory',
  '/v1/assets/%u0041',
])('GET %s is badly encoded', async (path) => {
  expectProblem(await api.get(path), 400, 'invalid_request', { instance: path });
});

test.each(['cursor=%zz', 'cursor=%ff', 'limit=%', '%zz=1'])(
  'a query that is badly encoded: ?%s',
  async (query) => {
    const answer = await api.get(`/v1/assets?${query}`);
    expect(answer.status, answer.text).toBe(400);
    expect(['invalid_request', 'invalid_cursor']).toContain((answer.body as { code: string }).code);
  },
);

test.each([
  '/v1/assets?colour=red',
  '/v1/assets/gold?expand=1',
  '/v1/listings?remaining=0',
  '/v1/accounts/p1?x=',
  '/v1/accounts/p1/entries?kind=item',
  '/v1/operations?cursor=x',
  '/v1/operations/0199a7c2-0000-7000-8000-000000000000?x=1',
  '/v1/assets?__proto__=1',
  '/v1/assets?limit=5&constructor=1',
])('GET %s asks for something that does not exist', async (path) => {
  const [, query = ''] = path.split('?');
  const names = query.split('&').map((pair) => pair.split('=')[0] ?? '');
  const unknown = names.filter((name) => name !== 'limit').map((name) => `/${name}`);
  expectInvalid(await api.get(path), ...unknown);
});

test('a query where none is taken is refused on a write as well', async () => {
  const asset = { name: 'X', kind: 'item' };
  expectInvalid(await api.put('/v1/assets/queried?force=true', asset), '/force');
  expectProblem(await api.get('/v1/assets/queried'), 404, 'asset_not_found');
  const answer = await api.post('/v1/grants?account=p1', {
    account: 'p1',
    assets: [{ asset: 'gold', quantity: 1 }],
  });
  expectInvalid(answer, '/account');
});

test('an empty query is none', async () => {
  ok(await api.get('/v1/assets?'));
});

test('HEAD answers as GET would, without the body', async () => {
  const url = `${api.url}/v1/assets/gold`;
  const headers = { authorization: `Bearer ${api.token}` };
  const [head, get] = [await fetch(url, { method: 'HEAD', headers }), await fetch(url, { headers })];
  expect([head.status, await head.text()]).toEqual([200, '']);
  expect(head.headers.get('content-type')).toBe(get.headers.get('content-type'));
});

test('a very long path is the client’s fault', async () => {
  for (const length of [1000, 2000, 10_000]) {
    const answer = await api.get(`/v1/accounts/${'a'.repeat(length)}/inventory`);
    expect([400, 404, 414], `${length}: ${answer.text.slice(0, 200)}`).toContain(answer.status);
  }
});
