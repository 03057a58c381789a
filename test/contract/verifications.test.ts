import { beforeAll, describe, expect, test } from 'vitest';
import type { Api } from '../support/api.ts';
import { query } from '../support/query.ts';
import { openMarket } from '../support/market.ts';
import { expectInvalid, expectProblem, ok, receipt, type Page } from '../support/resources.ts';
import { adminApiKey, serveReplica, type ServedReplica } from '../support/served-replicas.ts';
import { until } from '../support/until.ts';

const path = '/v1/verifications';

interface Verification {
  readonly id: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly durationMs: number;
  readonly actor: string;
  readonly sound: boolean;
  readonly counts: Readonly<Record<string, number>>;
  readonly discrepancyCount: number;
  readonly discrepancies: readonly Readonly<Record<string, unknown>>[];
}

let replica: ServedReplica;
let api: Api;

beforeAll(async () => {
  replica = await serveReplica();
  ({ api } = replica);
  await openMarket(api);
  receipt(await api.grant('p1', { gold: 100 }));
  receipt(await api.purchase('p1', 'sword', 2));
  receipt(await api.transfer('p1', 'p2', { gold: 30 }));
});

const sql = async (text: string) => await query(replica.database.url, text);

test('of a sound ledger answers counts, and no discrepancy', async () => {
  const answer = await api.post(path, undefined);
  const verification = ok<Verification>(answer, 201);
  expect(verification).toEqual({
    id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
    startedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
    finishedAt: expect.any(String) as string,
    durationMs: expect.any(Number) as number,
    actor: 'key:admin',
    sound: true,
    counts: { accounts: 2, holdings: 3, entries: 5, operations: 3, listings: 1, purchaseCounts: 0 },
    discrepancyCount: 0,
    discrepancies: [],
  });
  expect(answer.headers.location).toBe(`${path}/${verification.id}`);
  expect(ok(await api.get(`${path}/${verification.id}`))).toEqual(verification);
});

test('of one that is not, answers every discrepancy: the ledger is at fault, not the request', async () => {
  await sql(`update holdings set quantity = quantity + 5 where account = 'p1' and asset = 'gold'`);
  try {
    const verification = ok<Verification>(await api.post(path, {}), 201);
    expect(verification).toMatchObject({ sound: false, discrepancyCount: 1 });
    expect(verification.discrepancies).toEqual([
      {
        kind: 'holding_sum',
        where: { account: 'p1', asset: 'gold' },
        expected: 50,
        found: 55,
        message: 'account p1 holds 55 gold, and its entries sum to 50',
      },
    ]);
    expect(ok<Page<Verification>>(await api.get(`${path}?limit=1`)).data).toEqual([verification]);
  } finally {
    await sql(`update holdings set quantity = quantity - 5 where account = 'p1' and asset = 'gold'`);
  }
});

test('of very many discrepancies keeps so many, counts all, and lists the first ten', async () => {
  await sql(
    `insert into purchase_counts select 'ghost-' || i, 'sword', 0, 1, now() from generate_series(1, 25) as i`,
  );
  const few = await serveReplica({ database: replica.database, env: { VERIFY_DISCREPANCIES_MAX: '12' } });
  try {
    const verification = ok<Verification>(await few.api.post(path, undefined), 201);
    expect(verification.discrepancyCount).toBeGreaterThan(50);
    expect(verification.discrepancies).toHaveLength(12);
    const found = ok<Verification>(await api.get(`${path}/${verification.id}`));
    expect(found).toEqual(verification);
    const [listed] = ok<Page<Verification>>(await api.get(`${path}?limit=1`)).data;
    expect(listed).toEqual({ ...verification, discrepancies: verification.discrepancies.slice(0, 10) });
  } finally {
    await sql(`delete from purchase_counts where account like 'ghost-%'`);
  }
});

test('the list is newest first, and pages hold each once', async () => {
  for (let i = 0; i < 3; i += 1) ok(await api.post(path, undefined), 201);
  // Two of the same moment.
  await sql(`
    insert into verifications select gen_random_uuid(), started_at, finished_at, actor, result
    from verifications order by started_at limit 1`);
  const whole = ok<Page<Verification>>(await api.get(path));
  expect(whole.nextCursor).toBeNull();
  expect(whole.data.length).toBeGreaterThan(5);
  const times = whole.data.map(({ startedAt }) => startedAt);
  expect(times).toEqual([...times].sort().reverse());
  const seen: Verification[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const from: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page: Page<Verification> = ok(await api.get(`${path}?limit=2${from}`));
    seen.push(...page.data);
    cursor = page.nextCursor;
  }
  expect(seen).toEqual(whole.data);
});

describe('is refused', () => {
  test('a body with anything in it', async () => {
    expectInvalid(await api.post(path, { deep: true }), '/deep');
    expectInvalid(await api.get(`${path}?deep=true`), '/deep');
  });

  test('whoever is not known', async () => {
    for (const [method, of] of [
      ['POST', path],
      ['GET', path],
      ['GET', `${path}/0199a7c2-0000-7000-8000-000000000000`],
    ] as const) {
      const answer = await api.call(method, of, { headers: { authorization: undefined } });
      expectProblem(answer, 401, 'unauthenticated');
    }
  });

  test('what there is not', async () => {
    const nothing = await api.get(`${path}/0199a7c2-0000-7000-8000-000000000000`);
    expectProblem(nothing, 404, 'not_found', { verification: '0199a7c2-0000-7000-8000-000000000000' });
    expectInvalid(await api.get(`${path}/1`), '/id');
    const stranger = Buffer.from('["assets","a"]').toString('base64url');
    expectProblem(await api.get(`${path}?cursor=${stranger}`), 400, 'invalid_cursor');
  });
});

/** Long enough that another request comes in between, short enough to wait for. */
const slow = { VERIFY_PAUSE: '200ms' };
/** Longer than any test. */
const endless = { VERIFY_PAUSE: '60s' };

test('a second one at the same time is told that the first is under way', async () => {
  const { api: busy } = await serveReplica({ database: replica.database, env: slow });
  const answers = await Promise.all([busy.post(path, undefined), busy.post(path, undefined)]);
  const [done, refused] = answers.sort((a, b) => a.status - b.status);
  ok(done, 201);
  expectProblem(refused, 503, 'busy', { detail: 'another verification is under way on this replica' });
  ok(await busy.post(path, undefined), 201);
});

test('it ends when the client goes away, and nothing is kept of it', async () => {
  const { api: forgotten, url } = await serveReplica({ database: replica.database, env: slow });
  const before = ok<Page<Verification>>(await api.get(`${path}?limit=200`)).data.length;
  const client = await begun(url);
  client.abort();
  await expect(client.answer).rejects.toThrow();
  await until('another one may run', async () => (await forgotten.post(path, undefined)).status === 201);
  const after = ok<Page<Verification>>(await api.get(`${path}?limit=200`)).data.length;
  expect(after).toBe(before + 1);
});

test('a service that stops does not wait for it', async () => {
  const stopping = await serveReplica({ database: replica.database, env: endless });
  const client = await begun(stopping.url);
  stopping.kill('SIGTERM');
  const answer = await client.answer;
  expect(answer.status).toBe(503);
  expect(answer.headers.get('retry-after')).toBe('1');
  expect(await answer.json()).toMatchObject({ code: 'shutting_down', instance: path });
  expect(await stopping.ended).toEqual({ code: 0, signal: null });
});

/** A verification that is seen to be under way: of two at once, the one that was not refused. */
async function begun(url: string): Promise<{ answer: Promise<Response>; abort: () => void }> {
  const clients = [post(url), post(url)];
  const refused = await Promise.race(
    clients.map(async (client) => {
      expect((await client.answer).status).toBe(503);
      return client;
    }),
  );
  const other = clients.find((client) => client !== refused);
  if (other === undefined) throw new Error('there are two');
  return other;
}

function post(url: string): { answer: Promise<Response>; abort: () => void } {
  const abort = new AbortController();
  const answer = fetch(`${url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminApiKey}` },
    signal: abort.signal,
  });
  return { answer, abort: () => abort.abort() };
}
