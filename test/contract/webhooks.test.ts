import { beforeAll, describe, expect, test } from 'vitest';
import type { Api } from '../support/api.ts';
import { openMarket } from '../support/market.ts';
import { query } from '../support/query.ts';
import { expectInvalid, expectProblem, ok, type Page } from '../support/resources.ts';
import { serveReplicas } from '../support/served-replicas.ts';

interface Webhook {
  readonly id: string;
  readonly url: string;
  readonly types: readonly string[] | null;
  readonly createdAt: string;
  readonly oldSecretUntil: string | null;
  readonly failingSince: string | null;
  readonly restingUntil: string | null;
  readonly disabledAt: string | null;
  readonly disabledBecause: string | null;
}

type NewWebhook = Webhook & { readonly secret: string };

const url = 'https://shop.example/hook';
const nobody = '0199a7c2-0000-7000-8000-000000000000';
let one: Api;
let other: Api;
let databaseUrl: string;

beforeAll(async () => {
  const { apis, database } = await serveReplicas(2);
  [one, other] = apis as [Api, Api];
  databaseUrl = database.url;
  await openMarket(one);
});

async function register(body: object = { url }): Promise<NewWebhook> {
  return ok<NewWebhook>(await one.post('/v1/webhooks', body), 201);
}

test('an endpoint shows its secret once, and is there on every replica', async () => {
  const answer = await one.post('/v1/webhooks', { url, types: ['purchase', 'sale'] });
  const { secret, ...webhook } = ok<NewWebhook>(answer, 201);
  expect(answer.headers['cache-control']).toBe('no-store');
  expect(answer.headers.location).toBe(`/v1/webhooks/${webhook.id}`);
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  expect(webhook).toEqual({
    id: webhook.id,
    url,
    types: ['purchase', 'sale'],
    createdAt: webhook.createdAt,
    oldSecretUntil: null,
    failingSince: null,
    restingUntil: null,
    disabledAt: null,
    disabledBecause: null,
  });
  const again = await other.get(`/v1/webhooks/${webhook.id}`);
  expect(ok(again)).toEqual(webhook);
  const list = await other.get('/v1/webhooks?limit=200');
  expect(ok<Page<Webhook>>(list).data).toContainEqual(webhook);
  for (const { text } of [again, list]) expect(text).not.toContain(secret);
});

test('without types it gets them all', async () => {
  expect(await register()).toMatchObject({ types: null });
});

test.each<[object, string]>([
  [{}, '/url'],
  [{ url: 'shop.example' }, '/url'],
  [{ url: 'http://shop.example/' }, '/url'],
  [{ url: 'https://user:word@shop.example/' }, '/url'],
  [{ url: 'https://127.0.0.1/' }, '/url'],
  [{ url: 'https://[::ffff:169.254.169.254]/' }, '/url'],
  [{ url: 'https://localhost/' }, '/url'],
  [{ url, types: [] }, '/types'],
  [{ url, types: ['purchase', 'purchase'] }, '/types'],
  [{ url, types: ['theft'] }, '/types/0'],
  [{ url, secret: 'whsec_bWluZQ==' }, '/secret'],
])('%j is refused', async (body, path) => {
  expectInvalid(await one.post('/v1/webhooks', body), path);
});

test('a type that there is not is told of with those that there are', async () => {
  const answer = await one.post('/v1/webhooks', { url, types: ['theft'] });
  expect(answer.body).toMatchObject({
    errors: [
      { path: '/types/0', message: expect.stringMatching(/^must be one of .*\bpurchase\b/) as string },
    ],
  });
});

test('the list goes on by cursor, newest first', async () => {
  const ids: string[] = [];
  for (let i = 0; i < 3; i += 1) ids.unshift((await register()).id);
  const first = ok<Page<Webhook>>(await one.get('/v1/webhooks?limit=2'));
  expect(first.data.map(({ id }) => id)).toEqual(ids.slice(0, 2));
  const second = ok<Page<Webhook>>(
    await other.get(`/v1/webhooks?limit=2&cursor=${String(first.nextCursor)}`),
  );
  expect(second.data[0]?.id).toBe(ids[2]);
  expectProblem(await one.get('/v1/webhooks?cursor=x'), 400, 'invalid_cursor');
});

test('a new secret is shown once, and until when the old one signs', async () => {
  const { id, secret } = await register();
  const answer = await other.post(`/v1/webhooks/${id}/rotate-secret`, {});
  const rotated = ok<NewWebhook>(answer);
  expect(answer.headers['cache-control']).toBe('no-store');
  expect(rotated.secret).toMatch(/^whsec_/);
  expect(rotated.secret).not.toBe(secret);
  const untilMs = Date.parse(rotated.oldSecretUntil ?? '') - Date.parse(rotated.createdAt);
  expect(Math.abs(untilMs - 86_400_000)).toBeLessThan(60_000);
  expect(ok<Webhook>(await one.get(`/v1/webhooks/${id}`)).oldSecretUntil).toBe(rotated.oldSecretUntil);
});

test('a deleted one is gone on every replica', async () => {
  const { id } = await register();
  expect((await one.call('DELETE', `/v1/webhooks/${id}`)).status).toBe(204);
  expectProblem(await other.get(`/v1/webhooks/${id}`), 404, 'not_found', { webhook: id });
});

test.each([
  ['GET', ''],
  ['DELETE', ''],
  ['POST', '/rotate-secret'],
  ['GET', '/deliveries'],
  ['POST', `/deliveries/${nobody}/retry`],
])('%s …%s of one that is not there', async (method, path) => {
  const call = method === 'POST' ? { json: {} } : {};
  expectProblem(await one.call(method, `/v1/webhooks/${nobody}${path}`, call), 404, 'not_found', {
    webhook: nobody,
  });
  expectInvalid(await one.call(method, `/v1/webhooks/mine${path}`, call), '/id');
});

describe('deliveries', () => {
  let id: string;
  const ids = Array.from({ length: 5 }, (_, i) => nobody.replace(/0$/, String(i + 1)));

  // Disabled, so that nobody sends anything anywhere.
  beforeAll(async () => {
    ({ id } = await register());
    await query(
      databaseUrl,
      `update webhooks set disabled_at = now(), disabled_because = 'of a test' where id = $1`,
      [id],
    );
    await query(
      databaseUrl,
      `insert into webhook_deliveries (webhook, position, operation, status, attempts, next_attempt_at, attempted_at,
         duration_ms, response_status, response_body, error, finished_at)
       select $1, 1000 + n, operation, case when n < 4 then 'dead' else 'delivered' end, n, null, now(), 12,
         case when n < 4 then 500 else 204 end, case when n < 4 then 'oh' end, case when n < 4 then 'it answered 500' end, now()
       from unnest($2::uuid[]) with ordinality as new (operation, n)`,
      [id, ids],
    );
  });

  test('are listed, newest operation first, by cursor', async () => {
    const path = `/v1/webhooks/${id}/deliveries?limit=3`;
    const first = ok<Page<{ id: string }>>(await one.get(path));
    expect(first.data.map((delivery) => delivery.id)).toEqual([...ids].reverse().slice(0, 3));
    expect(first.data[0]).toMatchObject({
      status: 'delivered',
      attempts: 5,
      nextAttemptAt: null,
      lastAttempt: { durationMs: 12, responseStatus: 204, responseBody: null, error: null },
    });
    expect(first.data[2]).toMatchObject({
      status: 'dead',
      lastAttempt: { responseStatus: 500, responseBody: 'oh', error: 'it answered 500' },
    });
    const second = ok<Page<{ id: string }>>(await other.get(`${path}&cursor=${String(first.nextCursor)}`));
    expect(second.data.map((delivery) => delivery.id)).toEqual([ids[1], ids[0]]);
    expect(second.nextCursor).toBeNull();
  });

  test('that were given up can be listed alone', async () => {
    const path = `/v1/webhooks/${id}/deliveries?status=dead`;
    const { data } = ok<Page<{ id: string }>>(await one.get(path));
    expect(data.map((delivery) => delivery.id)).toEqual([ids[2], ids[1], ids[0]]);
    expectInvalid(await one.get(`/v1/webhooks/${id}/deliveries?status=lost`), '/status');
  });

  test('of a disabled endpoint are not sent again', async () => {
    const answer = await one.post(`/v1/webhooks/${id}/deliveries/${String(ids[0])}/retry`, {});
    expectInvalid(answer, '/id');
    expect(answer.body).toMatchObject({
      detail: 'the webhook is disabled: of a test; register the URL anew',
    });
  });

  test('that there are not can’t be sent again', async () => {
    const active = await register();
    const path = `/v1/webhooks/${active.id}/deliveries/${nobody}/retry`;
    expectProblem(await one.post(path, {}), 404, 'not_found', { webhook: active.id, delivery: nobody });
  });
});

// Last: it leaves no room for others.
test('there are a hundred at most, however many ask at once', async () => {
  const there = ok<Page<Webhook>>(await one.get('/v1/webhooks?limit=200')).data.length;
  const missing = 100 - there;
  const answers = await Promise.all(
    Array.from({ length: missing + 4 }, (_, i) => (i % 2 === 0 ? one : other).post('/v1/webhooks', { url })),
  );
  const statuses = answers.map(({ status }) => status);
  expect(statuses.filter((status) => status === 201)).toHaveLength(missing);
  const refused = answers.filter(({ status }) => status !== 201);
  expect(refused).toHaveLength(4);
  for (const answer of refused)
    expectProblem(answer, 400, 'invalid_request', {
      detail: 'there are 100 webhooks already: delete one that is not needed',
    });
});
