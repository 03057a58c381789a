import { hash } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Api } from '../support/api.ts';
import { callerWith, makeKey, type NewKey } from '../support/callers.ts';
import { openMarket } from '../support/market.ts';
import { query } from '../support/query.ts';
import { expectInvalid, expectProblem, ok, receipt, type Page } from '../support/resources.ts';
import { serveReplicas } from '../support/served-replicas.ts';
import { until } from '../support/until.ts';

type Key = Omit<NewKey, 'secret'>;

let one: Api;
let two: Api;
let url: string;

beforeAll(async () => {
  const { apis, database } = await serveReplicas(2);
  [one, two] = apis as [Api, Api];
  ({ url } = database);
  await openMarket(one);
});

async function listed(api: Api, id: string): Promise<Key | undefined> {
  const { data } = ok<Page<Key>>(await api.get('/v1/api-keys?limit=200'));
  return data.find((key) => key.id === id);
}

test('a key is shown once, valid at once on every replica, and who used it is on record', async () => {
  const answer = await one.post('/v1/api-keys', { name: 'shop', role: 'service' });
  const { secret, ...key } = ok<NewKey>(answer, 201);
  expect(answer.headers['cache-control']).toBe('no-store');
  expect(secret).toMatch(new RegExp(`^hf_${key.prefix}_[A-Za-z0-9]{43}$`));
  expect(key).toMatchObject({ name: 'shop', role: 'service', account: null, lastUsedAt: null });
  expect(receipt(await callerWith(two, secret).grant('p1', { gold: 100 }))).toMatchObject({
    actor: 'key:shop',
  });
  const shown = await one.get('/v1/api-keys');
  expect(shown.text).not.toContain(secret.slice(14));
  const { rows } = await query(url, `select row_to_json(k) as row, digest from api_keys k where id = $1`, [
    key.id,
  ]);
  const [row] = rows as { row: object; digest: Buffer }[];
  expect(JSON.stringify(row?.row)).not.toContain(secret.slice(14));
  expect(row?.digest).toEqual(hash('sha256', secret, 'buffer'));
});

test('when a revocation is answered, no replica takes the key any more, however busy it was', async () => {
  const { id, secret } = await makeKey(one, { name: 'leaver', role: 'reader' });
  const callers = [callerWith(one, secret), callerWith(two, secret)];
  let revoked = false;
  const answers: { status: number; sentAfter: boolean }[] = [];
  const busy = callers.map(async (caller) => {
    for (;;) {
      const sentAfter = revoked;
      const { status } = await caller.get('/v1/assets/gold');
      answers.push({ status, sentAfter });
      if (sentAfter) return;
    }
  });
  await until('both replicas know the key', () => answers.length > 10);
  expect((await one.call('DELETE', `/v1/api-keys/${id}`)).status).toBe(204);
  revoked = true;
  await Promise.all(busy);
  expect(answers.some(({ status }) => status === 200)).toBe(true);
  expect(new Set(answers.filter(({ sentAfter }) => sentAfter).map(({ status }) => status))).toEqual(
    new Set([401]),
  );
  expect(await listed(two, id)).toBeUndefined();
  expectProblem(await two.call('DELETE', `/v1/api-keys/${id}`), 404, 'not_found', { apiKey: id });
});

test('when a key was last used is shown', async () => {
  const { id, secret } = await makeKey(one, { name: 'watched', role: 'reader' });
  const before = Date.now();
  ok(await callerWith(two, secret).get('/v1/assets/gold'));
  await until('the use was noted', async () => ((await listed(one, id))?.lastUsedAt ?? null) !== null);
  const used = Date.parse((await listed(one, id))?.lastUsedAt ?? '');
  expect(Math.abs(used - before)).toBeLessThan(60_000);
});

describe('keys being rotated', () => {
  test('share their name, and with it their idempotency keys', async () => {
    const old = callerWith(one, (await makeKey(one, { name: 'rotated', role: 'service' })).secret);
    const fresh = callerWith(two, (await makeKey(two, { name: 'rotated', role: 'service' })).secret);
    const first = receipt(await old.grant('p2', { gold: 5 }, { key: 'shared' }));
    const again = await fresh.grant('p2', { gold: 5 }, { key: 'shared' });
    expect(again.headers['idempotency-replayed']).toBe('true');
    expect(ok(again, 201)).toEqual(first);
    const stranger = callerWith(one, (await makeKey(one, { name: 'stranger', role: 'service' })).secret);
    expect(receipt(await stranger.grant('p2', { gold: 5 }, { key: 'shared' })).id).not.toBe(first.id);
  });

  test('share their role and account, so that a name means one thing on record', async () => {
    await makeKey(one, { name: 'sole', role: 'service' });
    expectInvalid(await two.post('/v1/api-keys', { name: 'sole', role: 'admin' }), '/name');
    await makeKey(one, { name: 'hers', role: 'player', account: 'p1' });
    expectInvalid(await two.post('/v1/api-keys', { name: 'hers', role: 'player', account: 'p2' }), '/name');
  });

  test('asked for at the same moment with different roles, one of them is refused', async () => {
    for (let i = 0; i < 10; i += 1) {
      const name = `race.${i}`;
      const answers = await Promise.all([
        one.post('/v1/api-keys', { name, role: 'reader' }),
        two.post('/v1/api-keys', { name, role: 'service' }),
      ]);
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 400]);
    }
  });
});

test.each<[object, string[]]>([
  [{}, ['/name', '/role']],
  [{ name: 'a b', role: 'reader' }, ['/name']],
  [{ name: 'x', role: 'root' }, ['/role']],
  [{ name: 'x', role: 'player' }, ['/account']],
  [{ name: 'x', role: 'service', account: 'p1' }, ['/account']],
  [{ name: 'x', role: 'player', account: '../p1' }, ['/account']],
  [{ name: 'admin', role: 'service' }, ['/name']],
  [{ name: 'x', role: 'reader', secret: 'mine' }, ['/secret']],
])('%j is refused', async (body, paths) => {
  const before = ok<Page<Key>>(await one.get('/v1/api-keys?limit=200')).data.length;
  expectInvalid(await one.post('/v1/api-keys', body), ...paths);
  expect(ok<Page<Key>>(await one.get('/v1/api-keys?limit=200')).data).toHaveLength(before);
});

test('the list goes on by cursor, newest first', async () => {
  for (const name of ['page.1', 'page.2', 'page.3']) await makeKey(one, { name, role: 'reader' });
  const first = ok<Page<Key>>(await one.get('/v1/api-keys?limit=2'));
  expect(first.data.map(({ name }) => name)).toEqual(['page.3', 'page.2']);
  const second = ok<Page<Key>>(await two.get(`/v1/api-keys?limit=2&cursor=${String(first.nextCursor)}`));
  expect(second.data[0]?.name).toBe('page.1');
  expectProblem(await one.get('/v1/api-keys?cursor=x'), 400, 'invalid_cursor');
});

test('a key with a wrong secret, or of another service, is nobody’s', async () => {
  const { secret } = await makeKey(one, { name: 'guessed', role: 'admin' });
  const wrong = `${secret.slice(0, -1)}${secret.endsWith('a') ? 'b' : 'a'}`;
  for (const token of [wrong, `hf_${'a'.repeat(10)}_${'b'.repeat(43)}`, secret.toLowerCase(), 'a.b.c'])
    expectProblem(await callerWith(one, token).get('/v1/assets'), 401, 'unauthenticated');
  ok(await callerWith(one, secret).get('/v1/assets'));
});
