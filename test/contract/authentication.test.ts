import { beforeAll, expect, test } from 'vitest';
import type { Api } from '../support/api.ts';
import { expectProblem, ok } from '../support/resources.ts';
import { adminApiKey, serveReplica } from '../support/served-replicas.ts';

let api: Api;

beforeAll(async () => {
  ({ api } = await serveReplica());
  ok(await api.put('/v1/assets/gold', { name: 'Gold', kind: 'currency' }), 201);
});

const routes: readonly [string, string][] = [
  ['GET', '/v1/assets'],
  ['GET', '/v1/assets/gold'],
  ['PUT', '/v1/assets/gold'],
  ['GET', '/v1/listings'],
  ['GET', '/v1/listings/sword'],
  ['PUT', '/v1/listings/sword'],
  ['POST', '/v1/listings/sword/restock'],
  ['GET', '/v1/accounts/p1'],
  ['PUT', '/v1/accounts/p1'],
  ['GET', '/v1/accounts/p1/inventory'],
  ['GET', '/v1/accounts/p1/entries'],
  ['POST', '/v1/grants'],
  ['POST', '/v1/consumptions'],
  ['POST', '/v1/transfers'],
  ['POST', '/v1/purchases'],
  ['POST', '/v1/sales'],
  ['GET', '/v1/operations'],
  ['GET', '/v1/operations/0199a7c2-0000-7000-8000-000000000000'],
];

test.each(routes)('%s %s wants to know who asks, before it looks at what is asked', async (method, path) => {
  const body = method === 'GET' ? {} : { raw: '{' };
  for (const authorization of [undefined, `Bearer ${adminApiKey}x`]) {
    const answer = await api.call(method, path, { ...body, headers: { authorization } });
    expectProblem(answer, 401, 'unauthenticated', {
      type: '/docs/errors#unauthenticated',
      title: 'Unauthenticated',
      instance: path,
      retryable: false,
    });
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer\b/);
  }
});

test.each([
  '',
  'Bearer',
  'Bearer ',
  `Bearer ${adminApiKey.slice(0, -1)}`,
  `Bearer ${adminApiKey}${adminApiKey}`,
  `Bearer ${adminApiKey.toUpperCase()}`,
  `Bearer x ${adminApiKey}`,
  `Bearer ${adminApiKey}, Bearer ${adminApiKey}`,
  `Bearer "${adminApiKey}"`,
  `Basic ${Buffer.from(`admin:${adminApiKey}`).toString('base64')}`,
  `Token ${adminApiKey}`,
  adminApiKey,
  `Bearer ${'x'.repeat(5000)}`,
  'Bearer \u00e9',
])('Authorization: %s', async (authorization) => {
  const answer = await api.get('/v1/assets', { authorization });
  expectProblem(answer, 401, 'unauthenticated');
  expect(answer.text).not.toContain(adminApiKey);
});

test('the scheme may be written in any case', async () => {
  for (const scheme of ['Bearer', 'bearer', 'BEARER'])
    ok(await api.get('/v1/assets', { authorization: `${scheme} ${adminApiKey}` }));
});

test('a key in the query is none', async () => {
  for (const name of ['access_token', 'api_key', 'token'])
    expectProblem(
      await api.get(`/v1/assets?${name}=${adminApiKey}`, { authorization: undefined }),
      401,
      'unauthenticated',
    );
});

test('what is refused has not happened', async () => {
  const body = { account: 'thief', assets: [{ asset: 'gold', quantity: 5 }] };
  expectProblem(
    await api.post('/v1/grants', body, { headers: { authorization: 'Bearer stolen' } }),
    401,
    'unauthenticated',
  );
  expectProblem(await api.get('/v1/accounts/thief'), 404, 'account_not_found');
});

test.each(['/livez', '/readyz', '/openapi.json', '/docs', '/docs/errors'])('%s is open', async (path) => {
  const answer = await api.get(path, { authorization: undefined });
  expect(answer.status, answer.text).toBeLessThan(400);
});
