import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lines, type Answer, type Api } from '../support/api.ts';
import { createTestDatabase } from '../support/database.ts';
import { DatabaseProxy, type CutAt } from '../support/database-proxy.ts';
import { expectProblem, ok, owned, type Page, type Receipt } from '../support/resources.ts';
import { serveMarket } from '../support/served-market.ts';
import { until } from '../support/until.ts';

// The connection to the database is lost during a commit: the service finds out, or says that it does not know.

let proxy: DatabaseProxy;
let api: Api;

beforeAll(async () => {
  const database = await createTestDatabase();
  proxy = await DatabaseProxy.before(database.url);
  const env = {
    // The next commit is cut, and is to be ours.
    BACKGROUND_WORK: 'false',
    DATABASE_URL: proxy.url,
    DB_NAMED_STATEMENTS: 'false',
    DB_ACQUIRE_TIMEOUT: '500ms',
    RETRY_MAX: '2',
    LANES: '1',
  };
  ({ api } = await serveMarket({ database, env }));
});

afterAll(() => {
  proxy.mend();
});

async function back(): Promise<void> {
  proxy.mend();
  await until('the replica is ready again', async () => (await api.get('/readyz')).status === 200);
}

/** How often each operation of an account is in the feed. */
async function recorded(account: string): Promise<number> {
  const ids: string[] = [];
  let cursor = '';
  for (;;) {
    const page = ok<Page<Receipt>>(await api.get(`/v1/operations?limit=200${cursor}`));
    ids.push(...page.data.filter(({ accounts }) => account in accounts).map(({ id }) => id));
    if (page.data.length < 200) break;
    cursor = `&after=${encodeURIComponent(String(page.nextCursor))}`;
  }
  expect(new Set(ids).size).toBe(ids.length);
  return ids.length;
}

const cuts: readonly CutAt[] = ['before the commit', 'after the commit'];

describe.each(cuts)('cut %s', (at) => {
  const name = at.split(' ')[0] ?? '';

  test('and back at once: the operation is answered, and done once', async () => {
    for (const key of [`${name}-key`, undefined]) {
      const account = `${name}.back.${String(key === undefined)}`;
      ok(await api.grant(account, { gold: 1 }), 201);
      const cut = proxy.cutNext(at, { stayDown: false });
      const answer = await api.grant(account, { gold: 5 }, key === undefined ? {} : { key });
      await cut;
      expect(ok<Receipt>(answer, 201).entries).toEqual([{ account, asset: 'gold', delta: 5, balance: 6 }]);
      expect(await owned(api, account)).toEqual({ gold: 6 });
      expect(await recorded(account)).toBe(2);
      if (key === undefined) continue;
      const again = await api.grant(account, { gold: 5 }, { key });
      expect(again.headers['idempotency-replayed']).toBe('true');
      expect(again.text).toBe(answer.text);
    }
  });

  test('and back at once, with many under way: each is answered, and done once', async () => {
    const account = `${name}.many`;
    ok(await api.grant(account, { gold: 1 }), 201);
    const cut = proxy.cutNext(at, { stayDown: false });
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        api.grant(account, { gold: 1 }, i % 2 === 0 ? { key: `many-${i}` } : {}),
      ),
    );
    await cut;
    for (const answer of answers) ok(answer, 201);
    expect(await owned(api, account)).toEqual({ gold: 31 });
    expect(await recorded(account)).toBe(31);
  });

  test('and not back: the outcome is unknown, and the same key tells it later', async () => {
    const account = `${name}.gone`;
    ok(await api.grant(account, { gold: 1 }), 201);
    const cut = proxy.cutNext(at, { stayDown: true });
    const answer = await api.grant(account, { gold: 5 }, { key: 'gone' });
    await cut;
    expectProblem(answer, 503, 'outcome_unknown', {
      title: 'Outcome unknown',
      instance: '/v1/grants',
      idempotencyKey: 'gone',
      retryable: true,
    });
    await back();
    const told = await api.grant(account, { gold: 5 }, { key: 'gone' });
    expect(ok<Receipt>(told, 201).entries).toEqual([{ account, asset: 'gold', delta: 5, balance: 6 }]);
    if (at === 'after the commit') expect(told.headers['idempotency-replayed']).toBe('true');
    expect(await owned(api, account)).toEqual({ gold: 6 });
    expect(await recorded(account)).toBe(2);
  });

  test('and not back, without a key: the service names the one that it made', async () => {
    const account = `${name}.keyless`;
    ok(await api.grant(account, { gold: 1 }), 201);
    const cut = proxy.cutNext(at, { stayDown: true });
    const answer = await api.consume(account, { gold: 1 });
    await cut;
    expectProblem(answer, 503, 'outcome_unknown');
    const { idempotencyKey } = answer.body as { idempotencyKey: string };
    expect(idempotencyKey).toMatch(/^[\x20-\x7e]{1,255}$/);
    await back();
    ok(await api.consume(account, { gold: 1 }, { key: idempotencyKey }), 201);
    expect(await owned(api, account)).toEqual({});
    expect(await recorded(account)).toBe(2);
  });

  test('and not back, in a change of the catalog or of an account: the same again settles it', async () => {
    const listing = { price: [], goods: lines({ xp: 1 }), stock: 5 };
    const put = async (path: string, body: unknown): Promise<Answer> => {
      const cut = proxy.cutNext(at, { stayDown: true });
      const answer = await api.put(path, body);
      await cut;
      await back();
      expect(answer.status, answer.text).toBe(503);
      return await api.put(path, body);
    };
    const listed = await put(`/v1/listings/${name}`, listing);
    expect([200, 201]).toContain(listed.status);
    expect(listed.body).toMatchObject({ stock: 5, remaining: 5 });
    const opened = await put(`/v1/accounts/${name}.put`, { capacity: 3 });
    expect([200, 201]).toContain(opened.status);
    expect(opened.body).toMatchObject({ version: 0, capacity: 3 });
  });
});
