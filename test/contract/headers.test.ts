import { beforeAll, describe, expect, test } from 'vitest';
import { lines, type Answer, type Api } from '../support/api.ts';
import { createTestDatabase } from '../support/database.ts';
import { ok, receipt } from '../support/resources.ts';
import { serveReplica } from '../support/served-replicas.ts';

let api: Api;
let named: Api;

const shop = 'https://shop.example';
const admin = 'http://localhost:5173';

beforeAll(async () => {
  const database = await createTestDatabase();
  [{ api }, { api: named }] = await Promise.all([
    serveReplica({ database }),
    serveReplica({ database, env: { CORS_ORIGINS: `${shop}, ${admin}` } }),
  ]);
  for (let i = 0; i < 20; i += 1)
    ok(await api.put(`/v1/assets/asset.${i}`, { name: `Asset ${i}`, kind: 'item' }), 201);
});

const everyKindOfAnswer: readonly [string, (headers: Record<string, string>) => Promise<Answer>][] = [
  ['200', (headers) => api.get('/v1/assets', headers)],
  [
    '201',
    (headers) => api.post('/v1/grants', { account: 'p', assets: lines({ 'asset.0': 1 }) }, { headers }),
  ],
  ['304', (headers) => api.inventory('p', '', { ...headers, 'if-none-match': '*' })],
  ['400', (headers) => api.get('/v1/assets?limit=0', headers)],
  ['400, malformed', (headers) => api.call('POST', '/v1/grants', { raw: '{', headers })],
  ['400, badly encoded', (headers) => api.get('/v1/assets/%zz', headers)],
  ['401', (headers) => api.get('/v1/assets', { ...headers, authorization: 'Bearer x' })],
  ['404, no route', (headers) => api.get('/nothing', headers)],
  ['404', (headers) => api.get('/v1/assets/nothing', headers)],
  ['405', (headers) => api.call('DELETE', '/v1/assets', { headers })],
  [
    '409',
    (headers) => api.post('/v1/consumptions', { account: 'p', assets: lines({ 'asset.1': 1 }) }, { headers }),
  ],
  ['413', (headers) => api.call('POST', '/v1/grants', { raw: ' '.repeat(1_048_577), headers })],
  [
    '415',
    (headers) =>
      api.call('POST', '/v1/grants', { raw: 'x', headers: { ...headers, 'content-type': 'text/plain' } }),
  ],
  ['200, /livez', (headers) => api.get('/livez', headers)],
  ['200, /docs/errors', (headers) => api.get('/docs/errors', headers)],
];

describe.each(everyKindOfAnswer)('%s', (what, send) => {
  test('carries the X-Request-Id of the caller, also inside a problem', async () => {
    const answer = await send({ 'x-request-id': 'req_01.ABC-xyz' });
    expect(String(answer.status)).toBe(what.slice(0, 3));
    expect(answer.headers['x-request-id']).toBe('req_01.ABC-xyz');
    if (answer.status >= 400) expect(answer.body).toMatchObject({ requestId: 'req_01.ABC-xyz' });
  });

  test('carries one of its own, another each time, when the caller sent none', async () => {
    const ids = [await send({}), await send({})].map(({ headers }) => headers['x-request-id']);
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_.:-]{8,64}$/);
  });
});

test.each([
  '',
  ' ',
  'a b',
  'x'.repeat(1000),
  'naïve',
  '<script>alert(1)</script>',
  '"quoted"',
  '{"a":1}',
  'a\tb',
])('an X-Request-Id that is not sane is replaced: %j', async (id) => {
  const { headers } = await api.get('/v1/assets', { 'x-request-id': id });
  expect(headers['x-request-id']).not.toBe(id);
  expect(headers['x-request-id']).toMatch(/^[A-Za-z0-9_.:-]{8,64}$/);
});

test.each(['0199a7c2-0000-7000-8000-000000000000', 'a', '42', 'x'.repeat(64), 'trace:1_2.3-4'])(
  'a sane X-Request-Id comes back: %s',
  async (id) => {
    expect((await api.get('/v1/assets', { 'x-request-id': id })).headers['x-request-id']).toBe(id);
  },
);

describe('compression', () => {
  const large = '/v1/assets';
  const small = '/v1/assets/asset.1';

  test.each([
    ['br', 'br'],
    ['gzip', 'gzip'],
    ['gzip, br', 'br'],
    ['gzip, deflate, br', 'br'],
    ['br;q=0, gzip', 'gzip'],
    ['GZIP', 'gzip'],
  ])('an answer over 1 KiB, for Accept-Encoding: %s', async (accepted, encoding) => {
    const plain = await api.get(large);
    const answer = await api.get(large, { 'accept-encoding': accepted });
    expect(answer.headers['content-encoding']).toBe(encoding);
    expect(answer.text.length).toBeGreaterThan(1024);
    expect(answer.body).toEqual(plain.body);
    expect(answer.headers.vary?.toLowerCase()).toContain('accept-encoding');
  });

  test.each(['identity', '', 'x-unknown', 'br;q=0', 'gzip;q=0, br;q=0'])(
    'an answer over 1 KiB goes plain for Accept-Encoding: %j',
    async (accepted) => {
      const answer = await api.get(large, { 'accept-encoding': accepted });
      expect(answer.headers['content-encoding']).toBeUndefined();
      expect(answer.status).toBe(200);
    },
  );

  test('an answer over 1 KiB goes plain to who did not ask', async () => {
    const answer = await api.get(large);
    expect(answer.headers['content-encoding']).toBeUndefined();
    expect(answer.headers['content-length']).toBe(String(Buffer.byteLength(answer.text)));
  });

  test('a smaller answer goes plain', async () => {
    const answer = await api.get(small, { 'accept-encoding': 'br, gzip' });
    expect(answer.text.length).toBeLessThan(1024);
    expect(answer.headers['content-encoding']).toBeUndefined();
  });

  test('a receipt is compressed as well, and its replay the same', async () => {
    const body = {
      account: 'collector',
      assets: Array.from({ length: 20 }, (_, i) => ({ asset: `asset.${i}`, quantity: 1 })),
    };
    const call = { key: 'large', headers: { 'accept-encoding': 'gzip' } };
    const first = await api.post('/v1/grants', body, call);
    receipt(first);
    expect(first.headers['content-encoding']).toBe('gzip');
    const again = await api.post('/v1/grants', body, { ...call, headers: { 'accept-encoding': 'br' } });
    expect(again.headers['content-encoding']).toBe('br');
    expect(again.text).toBe(first.text);
    expect((await api.post('/v1/grants', body, { key: 'large' })).text).toBe(first.text);
  });

  test('a problem over 1 KiB is compressed as well', async () => {
    const body = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`unknown${i}`, 1]));
    const answer = await api.post('/v1/grants', body, { headers: { 'accept-encoding': 'br' } });
    expect(answer).toMatchObject({ status: 400, headers: { 'content-encoding': 'br' } });
    expect(answer.body).toMatchObject({ code: 'invalid_request' });
  });

  test('an ETag holds whatever the encoding', async () => {
    const account = 'collector';
    const packed = await api.inventory(account, '', { 'accept-encoding': 'br' });
    expect(packed.headers['content-encoding']).toBe('br');
    const tag = packed.headers.etag;
    expect(tag).toBe('"1"');
    expect(await api.inventory(account, '', { 'if-none-match': tag })).toMatchObject({ status: 304 });
  });
});

describe('CORS', () => {
  test('no origin is allowed unless it is named', async () => {
    for (const answer of [
      await api.get('/v1/assets', { origin: shop }),
      await api.get('/v1/assets', { origin: 'null' }),
      await named.get('/v1/assets', { origin: 'https://evil.example' }),
      await named.get('/v1/assets', { origin: `${shop}.evil.example` }),
      await named.get('/v1/assets', { origin: 'http://shop.example' }),
      await named.get('/v1/assets', { origin: `${shop}:8443` }),
      await named.get('/v1/assets', { origin: 'null' }),
    ]) {
      expect(answer.status).toBe(200);
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    }
  });

  test('no preflight is answered with leave unless the origin is named', async () => {
    for (const { headers } of [await preflight(api, shop), await preflight(named, 'https://evil.example')])
      expect(headers['access-control-allow-origin']).toBeUndefined();
  });

  test.each([shop, admin])('%s is named', async (origin) => {
    const answer = await named.get('/v1/assets', { origin });
    expect(answer.headers['access-control-allow-origin']).toBe(origin);
    expect(answer.headers.vary?.toLowerCase()).toContain('origin');
    const exposed = answer.headers['access-control-expose-headers']?.toLowerCase() ?? '';
    for (const header of ['etag', 'idempotency-replayed', 'retry-after', 'x-request-id'])
      expect(exposed.split(/, */)).toContain(header);
  });

  test('a problem can be read by a named origin too', async () => {
    for (const answer of [
      await named.get('/v1/assets/nothing', { origin: shop }),
      await named.get('/v1/assets', { origin: shop, authorization: 'Bearer x' }),
      await named.get('/nothing', { origin: shop }),
      await named.call('POST', '/v1/grants', { raw: '{', headers: { origin: shop } }),
    ])
      expect(answer.headers['access-control-allow-origin'], answer.text).toBe(shop);
  });

  test('a preflight of a named origin is answered, without a key, for every method and header', async () => {
    for (const [method, path] of [
      ['POST', '/v1/purchases'],
      ['PUT', '/v1/accounts/p'],
      ['GET', '/v1/accounts/p/inventory'],
    ] as const) {
      const { status, headers } = await preflight(named, shop, method, path);
      expect(status).toBe(204);
      expect(headers['access-control-allow-origin']).toBe(shop);
      expect(headers['access-control-allow-methods']).toContain(method);
      const allowed = headers['access-control-allow-headers']?.toLowerCase().split(/, */) ?? [];
      expect(allowed).toEqual(expect.arrayContaining(ourHeaders));
    }
  });
});

const ourHeaders = [
  'authorization',
  'content-type',
  'idempotency-key',
  'if-match',
  'if-none-match',
  'x-request-id',
];

/** A preflight is no operation of the API, so nothing is published about it. */
async function preflight(
  replica: Api,
  origin: string,
  method = 'POST',
  path = '/v1/purchases',
): Promise<{ status: number; headers: Partial<Record<string, string>> }> {
  const response = await fetch(`${replica.url}${path}`, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': method,
      'access-control-request-headers': ourHeaders.join(','),
    },
  });
  expect(response.headers.get('x-request-id')).toBeTruthy();
  return { status: response.status, headers: Object.fromEntries(response.headers) };
}
