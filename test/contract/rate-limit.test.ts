import { beforeAll, expect, test } from 'vitest';
import type { Api } from '../support/api.ts';
import { callerWith, makeKey } from '../support/callers.ts';
import { expectProblem, ok } from '../support/resources.ts';
import { serveReplica } from '../support/served-replicas.ts';

const max = 20;
let admin: Api;

beforeAll(async () => {
  ({ api: admin } = await serveReplica({ env: { RATE_LIMIT_MAX: String(max) } }));
});

test('so many requests a minute, what is left in each answer, then 429 with Retry-After, and nothing done', async () => {
  const service = callerWith(admin, (await makeKey(admin, { name: 'eager', role: 'service' })).secret);
  for (let left = max - 1; left >= 0; left -= 1) {
    const { status, headers } = await service.get('/v1/assets');
    expect([status, headers['ratelimit-limit'], headers['ratelimit-remaining']]).toEqual([
      200,
      String(max),
      String(left),
    ]);
    expect(Number(headers['ratelimit-reset'])).toBeGreaterThan(0);
    expect(Number(headers['ratelimit-reset'])).toBeLessThanOrEqual(60);
  }
  const refused = await service.put('/v1/accounts/late', {});
  expectProblem(refused, 429, 'rate_limited', {
    retryable: true,
    detail: `more than ${max} requests in a minute`,
  });
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  expect(refused.headers['ratelimit-remaining']).toBe('0');
  expectProblem(await admin.get('/v1/accounts/late'), 404, 'account_not_found');
});

test('another name has a count of its own, keys that share a name share it, and what is public is not counted', async () => {
  const keys = [
    await makeKey(admin, { name: 'shared', role: 'reader' }),
    await makeKey(admin, { name: 'shared', role: 'reader' }),
  ];
  const [first, second] = keys.map(({ secret }) => callerWith(admin, secret)) as [Api, Api];
  ok(await first.get('/v1/assets'));
  expect((await second.get('/v1/assets')).headers['ratelimit-remaining']).toBe(String(max - 2));
  for (let i = 0; i < max * 2; i += 1) {
    const answer = await admin.get('/livez', { authorization: undefined });
    expect(answer.headers['ratelimit-limit']).toBeUndefined();
    ok(answer);
  }
});

test('without the setting there is no limit', async () => {
  const { api } = await serveReplica();
  const answer = await api.get('/v1/assets');
  ok(answer);
  expect(answer.headers['ratelimit-limit']).toBeUndefined();
});
