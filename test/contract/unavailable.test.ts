import { describe, expect, test } from 'vitest';
import { lines, type Answer } from '../support/api.ts';
import { createTestDatabase } from '../support/database.ts';
import { DatabaseProxy } from '../support/database-proxy.ts';
import { openMarket } from '../support/market.ts';
import { problemFaults } from '../support/problem.ts';
import { query } from '../support/query.ts';
import { RawConnection } from '../support/raw-http.ts';
import { expectProblem, ok, owned, receipt, type Listing } from '../support/resources.ts';
import { holdAccount, holdLock } from '../support/row-lock.ts';
import { serveMarket } from '../support/served-market.ts';
import { adminApiKey, serveReplica } from '../support/served-replicas.ts';
import { until } from '../support/until.ts';

/** Fails unless the answer may be tried again, and says when. */
function expectRetryable(
  answer: Answer,
  code: string,
  members: Readonly<Record<string, unknown>> = {},
): void {
  expectProblem(answer, 503, code, { ...members, retryable: true });
  expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(0);
}

test('busy: a row that stays locked', async () => {
  const { api, database } = await serveMarket({ env: { DB_LOCK_TIMEOUT: '300ms' } });
  ok(await api.put('/v1/listings/held', { price: [], goods: lines({ xp: 1 }), stock: 5 }), 201);
  for (const account of ['held', 'free']) receipt(await api.grant(account, { gold: 100 }));
  const account = await holdAccount(database.url, 'held');
  const stock = await holdLock(database.url, `select from stock where listing = 'held' for update`);
  const [granted, moved, bought, put, innocent] = await Promise.all([
    api.grant('held', { gold: 1 }, { key: 'busy' }),
    api.transfer('free', 'held', { gold: 1 }),
    api.purchase('free', 'held'),
    api.put('/v1/accounts/held', { capacity: 1 }),
    api.grant('bystander', { gold: 1 }),
  ]);
  for (const answer of [granted, moved, bought, put]) expectRetryable(answer, 'busy', { title: 'Busy' });
  receipt(innocent);
  await Promise.all([account.release(), stock.release()]);
  // Nothing was changed, and the key is free for the next try.
  expect(await owned(api, 'held')).toEqual({ gold: 100 });
  expect(ok<Listing>(await api.get('/v1/listings/held')).remaining).toBe(5);
  expect(ok(await api.get('/v1/accounts/held'))).toMatchObject({ capacity: null, version: 1 });
  receipt(await api.grant('held', { gold: 1 }, { key: 'busy' }));
  expect(await owned(api, 'free')).toEqual({ gold: 100 });
});

test('overloaded: more operations than may wait', async () => {
  const { api, database } = await serveMarket({ env: { QUEUE_MAX: '2' } });
  receipt(await api.grant('held', { gold: 1 }));
  const lock = await holdAccount(database.url, 'held');
  let refused = 0;
  const answers = Array.from({ length: 10 }, async (_, i) => {
    const answer = await api.grant('held', { gold: 1 }, { key: `queued-${i}` });
    if (answer.status !== 201) refused += 1;
    return answer;
  });
  await until('all but two are refused', () => refused === 8);
  ok(await api.get('/v1/assets'));
  await lock.release();
  const settled = await Promise.all(answers);
  for (const answer of settled.filter(({ status }) => status !== 201))
    expectRetryable(answer, 'overloaded', { title: 'Overloaded' });
  expect(await owned(api, 'held')).toEqual({ gold: 3 });
  for (let i = 0; i < 10; i += 1) ok(await api.grant('held', { gold: 1 }, { key: `queued-${i}` }), 201);
  expect(await owned(api, 'held')).toEqual({ gold: 11 });
});

test('shutting down: a request that came late is answered or told; one under way is answered', async () => {
  const replica = await serveReplica();
  const { api, database } = replica;
  await openMarket(api);
  receipt(await api.grant('held', { gold: 1 }));
  const lock = await holdAccount(database.url, 'held');
  const underWay = api.grant('held', { gold: 1 }, { key: 'under-way' });
  await lock.waitedFor();
  const late = new RawConnection(replica.url);
  late.write('GET /v1/assets/gold HTTP/1.1\r\nHost: x\r\n');
  // An answered request on a connection made later shows that the one before is accepted.
  ok(await api.get('/livez'));
  replica.kill('SIGTERM');
  await until('no new connection is accepted', async () => {
    const probe = new RawConnection(replica.url);
    probe.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
    const answer = await probe.answer();
    probe.destroy();
    return answer === null;
  });
  late.write(`Authorization: Bearer ${adminApiKey}\r\n\r\n`);
  const answer = await late.answer();
  late.destroy();
  await lock.release();
  receipt(await underWay);
  api.close();
  expect(await replica.ended).toEqual({ code: 0, signal: null });
  if (answer === null) throw new Error('there was no answer');
  const body = JSON.parse(answer.body) as object;
  if (answer.status === 200) expect(body).toMatchObject({ id: 'gold' });
  else {
    expect(body).toMatchObject({
      status: 503,
      code: 'shutting_down',
      title: 'Shutting down',
      retryable: true,
    });
    expect(problemFaults({ ...answer, body, path: '/v1/assets/gold' })).toEqual([]);
  }
});

test('internal error: what should not happen is not explained, and harms nobody else', async () => {
  const { api, database } = await serveMarket();
  await query(database.url, 'alter table holdings add constraint planted_fault check (quantity <> 42)');
  const quantity = (i: number): number => (i === 7 ? 42 : 41);
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, i) =>
      api.grant(`neighbour.${i}`, { gold: quantity(i) }, { key: 'planted' }),
    ),
  );
  for (const [i, answer] of answers.entries()) {
    if (i === 7)
      expectProblem(answer, 500, 'internal_error', { title: 'Internal error', instance: '/v1/grants' });
    else receipt(answer);
  }
  const text = answers[7]?.text ?? '';
  expect(text).not.toMatch(/planted|constraint|holdings|23514|select|insert|\.ts\b/i);
  expectProblem(await api.get('/v1/accounts/neighbour.7'), 404, 'account_not_found');
  await query(database.url, 'alter table holdings drop constraint planted_fault');
  receipt(await api.grant('neighbour.7', { gold: 42 }, { key: 'planted' }));
});

describe('without its database', () => {
  test('a replica says so, changes nothing, and goes on when it is back', async () => {
    const database = await createTestDatabase();
    const proxy = await DatabaseProxy.before(database.url);
    const env = { DATABASE_URL: proxy.url, DB_ACQUIRE_TIMEOUT: '500ms', RETRY_MAX: '1' };
    const { api } = await serveReplica({ database, env });
    try {
      await openMarket(api);
      receipt(await api.grant('p1', { gold: 100 }));
      proxy.cut();
      for (const answer of [
        await api.grant('p1', { gold: 1 }, { key: 'lost' }),
        await api.purchase('p1', 'sword'),
        await api.inventory('p1'),
        await api.get('/v1/accounts/p1/entries'),
        await api.get('/v1/operations'),
        await api.put('/v1/accounts/p1', { capacity: 1 }),
        await api.put('/v1/assets/gold', { name: 'Gone', kind: 'currency' }),
      ])
        expectRetryable(answer, 'database_unavailable', { title: 'Database unavailable' });
      expect(await api.get('/readyz')).toMatchObject({
        status: 503,
        body: { status: expect.any(String) as string },
      });
      ok(await api.get('/livez'));
      proxy.mend();
      await until('the replica is ready again', async () => (await api.get('/readyz')).status === 200);
      expect(await owned(api, 'p1')).toEqual({ gold: 100 });
      receipt(await api.grant('p1', { gold: 1 }, { key: 'lost' }));
      expect(ok(await api.get('/v1/assets/gold'))).toMatchObject({ name: 'Gold' });
    } finally {
      proxy.mend();
    }
  });
});
