import { beforeAll, describe, expect, test } from 'vitest';
import type { Api } from '../support/api.ts';
import type { PublishedOperation } from '../support/published-api.ts';
import { statusOfCode } from '../support/problem.ts';
import { ok } from '../support/resources.ts';
import { serveReplica } from '../support/served-replicas.ts';

let api: Api;

beforeAll(async () => {
  ({ api } = await serveReplica());
});

test('/livez, /readyz and /startupz answer 200 while all is well', async () => {
  expect(ok(await api.get('/livez'))).toMatchObject({ status: expect.any(String) as string });
  expect(ok(await api.get('/readyz'))).toMatchObject({ status: expect.any(String) as string });
  expect(ok(await api.get('/startupz'))).toEqual({ status: 'started' });
});

/** What the contract has in this step, with the statuses that each operation can come to. */
const published: readonly [string, string, readonly number[]][] = [
  ['get', '/livez', [200]],
  ['get', '/readyz', [200, 503]],
  ['get', '/startupz', [200]],
  ['get', '/health', [200, 503]],
  ['get', '/v1/assets', [200, 400, 401, 403, 500, 503]],
  ['get', '/v1/assets/{asset}', [200, 400, 401, 403, 404, 500, 503]],
  ['put', '/v1/assets/{asset}', [200, 201, 400, 401, 403, 409, 413, 415, 500, 503]],
  ['get', '/v1/listings', [200, 400, 401, 403, 500, 503]],
  ['get', '/v1/listings/{listing}', [200, 400, 401, 403, 404, 500, 503]],
  ['put', '/v1/listings/{listing}', [200, 201, 400, 401, 403, 409, 413, 415, 500, 503]],
  ['post', '/v1/listings/{listing}/restock', [201, 400, 401, 403, 404, 409, 413, 415, 422, 500, 503]],
  ['put', '/v1/accounts/{account}', [200, 201, 400, 401, 403, 413, 415, 500, 503]],
  ['get', '/v1/accounts/{account}', [200, 400, 401, 403, 404, 500, 503]],
  ['get', '/v1/accounts/{account}/inventory', [200, 304, 400, 401, 403, 404, 500, 503]],
  ['get', '/v1/accounts/{account}/entries', [200, 400, 401, 403, 404, 500, 503]],
  ['post', '/v1/grants', [201, 400, 401, 403, 404, 409, 412, 413, 415, 422, 500, 503]],
  ['post', '/v1/consumptions', [201, 400, 401, 403, 404, 409, 412, 413, 415, 422, 500, 503]],
  ['post', '/v1/transfers', [201, 400, 401, 403, 404, 409, 413, 415, 422, 500, 503]],
  ['post', '/v1/purchases', [201, 400, 401, 403, 404, 409, 412, 413, 415, 422, 500, 503]],
  ['post', '/v1/sales', [201, 400, 401, 403, 404, 409, 412, 413, 415, 422, 500, 503]],
  ['get', '/v1/operations', [200, 400, 401, 403, 500, 503]],
  ['get', '/v1/operations/{id}', [200, 400, 401, 403, 404, 500, 503]],
];

describe('/openapi.json', () => {
  test('is OpenAPI 3.1, as JSON', async () => {
    const answer = await api.get('/openapi.json');
    expect(ok(answer)).toMatchObject({
      openapi: expect.stringMatching(/^3\.1\.[0-9]+$/) as string,
      info: { title: 'Holdfast' },
    });
    expect(answer.headers['content-type']).toMatch(/^application\/json\b/);
  });

  test.each(published)('%s %s is published, with every status it can come to', (method, path, statuses) => {
    const operation = api.published.document.paths[path]?.[method];
    const missing = statuses.map(String).filter((status) => operation?.responses[status] === undefined);
    expect(missing).toEqual([]);
    expect(operation?.summary).toBeTruthy();
  });

  const each = function* (): Generator<[string, PublishedOperation]> {
    for (const [path, operations] of Object.entries(api.published.document.paths))
      for (const [method, operation] of Object.entries(operations)) yield [`${method} ${path}`, operation];
  };

  test('problems are published as application/problem+json, which is what they are', () => {
    const wrong = [...each()].flatMap(([name, { responses }]) =>
      Object.entries(responses)
        .filter(([status]) => Number(status) >= 400 && !['get /readyz', 'get /health'].includes(name))
        .filter(([, { content }]) => content?.['application/problem+json'] === undefined)
        .map(([status]) => `${name} ${status}`),
    );
    expect(wrong).toEqual([]);
  });

  test('what may be left out of a query or a header is not published as required', () => {
    const wrong = [...each()].flatMap(([name, { parameters = [] }]) =>
      parameters
        .filter((parameter) => parameter.in !== 'path' && parameter.required === true)
        .map((parameter) => `${name} ${parameter.name}`),
    );
    expect(wrong).toEqual([]);
  });

  test.each<[string, string, unknown]>([
    ['PUT', '/v1/assets/gold', { name: 'Gold', kind: 'currency' }],
    [
      'PUT',
      '/v1/listings/sword',
      { price: [{ asset: 'gold', quantity: 1 }], goods: [{ asset: 'sword', quantity: 1 }] },
    ],
    ['PUT', '/v1/accounts/p1', {}],
    ['POST', '/v1/grants', { account: 'p1', assets: [{ asset: 'gold', quantity: 1 }] }],
    ['POST', '/v1/consumptions', { account: 'p1', assets: [{ asset: 'gold', quantity: 1 }] }],
    ['POST', '/v1/transfers', { from: 'p1', to: 'p2', assets: [{ asset: 'gold', quantity: 1 }] }],
    ['POST', '/v1/purchases', { account: 'p1', listing: 'sword' }],
    ['POST', '/v1/sales', { account: 'p1', asset: 'sword', quantity: 1 }],
    ['POST', '/v1/listings/sword/restock', { quantity: 1 }],
  ])('the least that %s %s takes fits what is published', (method, path, body) => {
    expect(api.published.requestFaults(method, path, body)).toEqual([]);
  });

  test('every answer that can be a replay publishes the header that says so', () => {
    const silent = [...each()]
      .filter(([name]) => published.some(([method, path]) => method === 'post' && name === `post ${path}`))
      .filter(
        ([, { responses }]) =>
          !JSON.stringify(responses['201'] ?? {})
            .toLowerCase()
            .includes('idempotency-replayed'),
      )
      .map(([name]) => name);
    expect(silent).toEqual([]);
  });

  test('the inventory publishes its ETag', () => {
    const { responses } = api.published.document.paths['/v1/accounts/{account}/inventory']?.['get'] ?? {
      responses: {},
    };
    expect(JSON.stringify(responses['200']).toLowerCase()).toContain('etag');
  });
});

describe('/docs', () => {
  test('is a page that is served whole from here', async () => {
    const queue = ['/docs'];
    const seen = new Set<string>();
    for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
      if (seen.has(path)) continue;
      seen.add(path);
      expect(seen.size).toBeLessThan(50);
      const response = await fetch(new URL(path, api.url));
      expect(response.status, path).toBe(200);
      const type = response.headers.get('content-type') ?? '';
      const text = await response.text();
      expect(text.length, path).toBeGreaterThan(0);
      if (!type.includes('text/html')) continue;
      for (const [, reference = ''] of text.matchAll(
        /<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)="([^"]+)"/g,
      )) {
        const url = new URL(reference, response.url);
        if (url.protocol === 'data:') continue;
        expect(url.origin, reference).toBe(new URL(api.url).origin);
        queue.push(url.pathname);
      }
    }
    expect(seen.size).toBeGreaterThan(2);
  });

  test('asks for nothing from outside, and may not', async () => {
    const response = await fetch(new URL('/docs', api.url));
    expect(response.headers.get('content-type')).toMatch(/^text\/html/);
    const html = await response.text();
    expect(html.match(/\b(?:src|href|url)\s*[:=]\s*["'](?:https?:)?\/\/[^"']*/g) ?? []).toEqual([]);
    const policy = response.headers.get('content-security-policy') ?? '';
    const sources = policy.split(/[;\s]+/).filter((source) => /^https?:|\w\.\w/.test(source));
    expect(policy).toContain("default-src 'self'");
    expect(sources, policy).toEqual([]);
  });

  test('works over plain HTTP: nothing that the page asks for is turned into HTTPS', async () => {
    const response = await fetch(new URL('/docs', api.url));
    expect(response.status).toBe(200);
    expect(response.headers.get('content-security-policy') ?? '').not.toContain('upgrade-insecure-requests');
  });
});

describe('/docs/errors', () => {
  test.each(Object.keys(statusOfCode))('explains %s, where its type points to', async (code) => {
    const answer = await api.get('/docs/errors');
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toMatch(/^text\/html\b/);
    const anchored = new RegExp(`\\bid="${code}"`).exec(answer.text);
    expect(anchored, `an element with the id ${code}`).not.toBeNull();
    const next = answer.text.indexOf(' id="', Number(anchored?.index) + 5);
    const section = answer.text
      .slice(anchored?.index, next < 0 ? undefined : next)
      .replaceAll(/<[^>]*>/g, ' ');
    expect(section).toContain(String(statusOfCode[code]));
    expect(section).toMatch(/retr|again/i);
    expect(section.replaceAll(/\s+/g, ' ').length, 'a text that helps').toBeGreaterThan(80);
  });

  test('explains no code twice', async () => {
    const { text } = await api.get('/docs/errors');
    const codes = [...text.matchAll(/\bid="([a-z_]+)"/g)]
      .map(([, id]) => id)
      .filter((id) => String(id) in statusOfCode);
    expect(codes.toSorted()).toEqual(Object.keys(statusOfCode).toSorted());
  });
});
