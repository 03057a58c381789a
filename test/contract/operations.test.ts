import { beforeAll, describe, expect, test } from 'vitest';
import { lines, type Api } from '../support/api.ts';
import { expectInvalid, expectProblem, ok, receipt, type Page, type Receipt } from '../support/resources.ts';
import { serveMarketPair } from '../support/served-market.ts';
import { until } from '../support/until.ts';

let api: Api;
let other: Api;

beforeAll(async () => {
  [api, other] = await serveMarketPair();
});

interface FeedPage extends Page<Receipt> {
  readonly nextCursor: string;
}

async function feed(query: string, replica = api): Promise<FeedPage> {
  const page = ok<FeedPage>(await replica.get(`/v1/operations${query}`));
  expect(typeof page.nextCursor).toBe('string');
  return page;
}

/** Everything from a cursor on, in pages of so many. */
async function follow(
  after: string | null,
  limit: number,
  replicas: readonly Api[] = [api],
): Promise<Receipt[]> {
  const seen: Receipt[] = [];
  let cursor = after;
  for (let page = 0; ; page += 1) {
    const query = `?limit=${limit}${cursor === null ? '' : `&after=${encodeURIComponent(cursor)}`}`;
    const { data, nextCursor } = await feed(query, replicas[page % replicas.length]);
    seen.push(...data);
    cursor = nextCursor;
    if (data.length < limit) return seen;
  }
}

async function end(): Promise<string> {
  let { data, nextCursor } = await feed('?limit=200');
  while (data.length > 0)
    ({ data, nextCursor } = await feed(`?limit=200&after=${encodeURIComponent(nextCursor)}`));
  return nextCursor;
}

test('an operation can be read by its id, from any replica', async () => {
  const granted = receipt(await api.grant('read', { gold: 5 }));
  for (const replica of [api, other])
    expect(ok(await replica.get(`/v1/operations/${granted.id}`))).toEqual(granted);
});

test('an operation that is not there', async () => {
  const id = '0199a7c2-0000-7000-8000-000000000000';
  expectProblem(await api.get(`/v1/operations/${id}`), 404, 'operation_not_found', {
    title: 'Operation not found',
    instance: `/v1/operations/${id}`,
  });
});

test.each(['x', '123', '0199a7c2', '0199a7c2-0000-7000-8000-00000000000g', 'null', '%00'])(
  'an id that is none: %s',
  async (id) => {
    expectProblem(await api.get(`/v1/operations/${id}`), 400, 'invalid_request');
  },
);

describe('the feed', () => {
  test('holds the receipts in the order in which they took effect', async () => {
    const after = await end();
    const made = [
      receipt(await api.grant('feed.1', { gold: 100 })),
      receipt(await other.grant('feed.2', { gem: 5 })),
      receipt(await api.purchase('feed.1', 'sword', 2)),
      receipt(await other.transfer('feed.1', 'feed.2', { gold: 10, sword: 1 })),
      receipt(await api.sell('feed.2', 'sword', 1)),
      receipt(await other.consume('feed.2', { gem: 5 })),
    ];
    for (const limit of [1, 2, 3, 6, 7, 200]) expect(await follow(after, limit, [api, other])).toEqual(made);
  });

  test('leaves out what was rejected, replayed or rehearsed', async () => {
    const after = await end();
    const granted = receipt(await api.grant('feed.3', { gold: 1 }, { key: 'feed' }));
    ok(await other.grant('feed.3', { gold: 1 }, { key: 'feed' }), 201);
    expectProblem(await api.consume('feed.3', { gold: 2 }), 409, 'insufficient_balance');
    receipt(await api.post('/v1/grants?dryRun=true', { account: 'feed.3', assets: lines({ gold: 1 }) }));
    expect(await follow(after, 50)).toEqual([granted]);
  });

  test('without a cursor begins at the beginning, by fifties', async () => {
    for (let i = 0; i < 51; i += 1) receipt(await api.grant('feed.4', { gold: 1 }));
    const whole = await follow(null, 200);
    expect(whole.length).toBeGreaterThan(51);
    expect((await feed('')).data).toEqual(whole.slice(0, 50));
    expect((await feed('?limit=3')).data).toEqual(whole.slice(0, 3));
  });

  test('goes on from the cursor at its end, which stays good', async () => {
    const after = await end();
    const empty = await feed(`?after=${encodeURIComponent(after)}`);
    expect(empty.data).toEqual([]);
    expect((await feed(`?after=${encodeURIComponent(empty.nextCursor)}`, other)).data).toEqual([]);
    const granted = receipt(await other.grant('feed.5', { gold: 1 }));
    for (const cursor of [after, empty.nextCursor])
      expect((await feed(`?after=${encodeURIComponent(cursor)}`)).data).toEqual([granted]);
  });

  test('shows a restock', async () => {
    ok(await api.put('/v1/listings/feed', { price: [], goods: lines({ xp: 1 }), stock: 1 }), 201);
    const after = await end();
    const restocked = receipt(await api.post('/v1/listings/feed/restock', { quantity: 2 }));
    expect(await follow(after, 50)).toEqual([restocked]);
  });

  test('read while many write on two replicas: nothing missed, nothing twice, each account in order', async () => {
    const accounts = Array.from({ length: 6 }, (_, i) => `busy.${i}`);
    const after = await end();
    const acknowledged: Receipt[] = [];
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let i = 0; i < 40; i += 1) {
        const replica = (writer + i) % 2 === 0 ? api : other;
        const account = accounts[(writer * 7 + i) % accounts.length] ?? '';
        const to = accounts[(writer * 7 + i + 1 + (writer % 5)) % accounts.length] ?? '';
        const answer =
          i % 3 === 0 && to !== account
            ? await replica.transfer(account, to, { gold: 1 })
            : await replica.grant(account, { gold: 2 });
        if (answer.status === 201) acknowledged.push(receipt(answer));
      }
    });
    let writing = true;
    const written = Promise.all(writers).finally(() => {
      writing = false;
    });
    const seen: Receipt[] = [];
    let cursor = after;
    await until('the feed has shown everything', async () => {
      const done = !writing;
      const { data, nextCursor } = await feed(`?limit=17&after=${encodeURIComponent(cursor)}`, other);
      seen.push(...data);
      cursor = nextCursor;
      return done && data.length === 0;
    });
    await written;
    const idsOf = (receipts: readonly Receipt[]): string[] => receipts.map(({ id }) => id);
    expect(acknowledged.length).toBeGreaterThan(200);
    expect(idsOf(seen).toSorted()).toEqual(idsOf(acknowledged).toSorted());
    const answered = new Map(acknowledged.map((one) => [one.id, one]));
    for (const one of seen) expect(one).toEqual(answered.get(one.id));
    const versions: Record<string, number> = {};
    const times: Record<string, string> = {};
    const balances: Record<string, number> = {};
    for (const { id, at, accounts: changed, entries } of seen) {
      for (const [account, { version }] of Object.entries(changed)) {
        expect(version, id).toBe((versions[account] ?? 0) + 1);
        versions[account] = version;
        expect(at >= (times[account] ?? ''), `${id}: the time of an account never goes back`).toBe(true);
        times[account] = at;
      }
      for (const { account, delta, balance } of entries) {
        expect(balance, id).toBe((balances[account] ?? 0) + delta);
        balances[account] = balance;
      }
    }
    expect(idsOf(await follow(after, 200, [other, api]))).toEqual(idsOf(seen));
  });

  test('an operation that began after another was answered comes after it', async () => {
    const after = await end();
    const made: string[] = [];
    for (let i = 0; i < 60; i += 1)
      made.push(receipt(await (i % 2 === 0 ? api : other).grant(`serial.${i % 7}`, { gold: 1 })).id);
    expect((await follow(after, 9)).map(({ id }) => id)).toEqual(made);
  });
});

test.each(['limit=0', 'limit=201', 'limit=-1', 'limit=1.5', 'limit=ten', 'limit=', 'limit=1&limit=2'])(
  '?%s is refused',
  async (query) => {
    expectProblem(await api.get(`/v1/operations?${query}`), 400, 'invalid_request');
  },
);

test('a query that does not exist is refused', async () => {
  expectInvalid(await api.get('/v1/operations?since=2026-01-01'), '/since');
});
