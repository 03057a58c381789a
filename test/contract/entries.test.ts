import { beforeAll, expect, test } from 'vitest';
import type { Api } from '../support/api.ts';
import {
  expectProblem,
  ok,
  receipt,
  type HistoryEntry,
  type Page,
  type Receipt,
} from '../support/resources.ts';
import { serveMarket } from '../support/served-market.ts';

let api: Api;
let made: Receipt[];

beforeAll(async () => {
  ({ api } = await serveMarket());
  made = [
    receipt(await api.grant('hero', { gold: 100, gem: 5 })),
    receipt(await api.purchase('hero', 'sword', 2)),
    receipt(await api.consume('hero', { gem: 1 })),
    receipt(await api.transfer('hero', 'friend', { gold: 30, gem: 4 })),
    receipt(await api.sell('hero', 'sword', 1)),
    receipt(await api.transfer('friend', 'hero', { gold: 5 })),
  ];
});

async function history(query = '', account = 'hero'): Promise<Page<HistoryEntry>> {
  return ok(await api.get(`/v1/accounts/${account}/entries${query}`));
}

/** What the history of an account must be, by the receipts. */
function fromReceipts(account: string): HistoryEntry[] {
  return made
    .toReversed()
    .flatMap(({ id, type, at, entries }) =>
      entries
        .filter((entry) => entry.account === account)
        .map(({ asset, delta, balance }) => ({ operation: id, type, at, asset, delta, balance })),
    );
}

test('the history shows every entry of the receipts, newest first', async () => {
  const { data, nextCursor } = await history();
  expect(nextCursor).toBeNull();
  const operations = data.map(({ operation }) => operation);
  expect(operations).toEqual(fromReceipts('hero').map(({ operation }) => operation));
  const inOrder = (rows: readonly HistoryEntry[]): HistoryEntry[] =>
    rows.toSorted(
      (a, b) =>
        operations.indexOf(a.operation) - operations.indexOf(b.operation) || (a.asset < b.asset ? -1 : 1),
    );
  expect(inOrder(data)).toEqual(inOrder(fromReceipts('hero')));
  expect(data.map(({ type }) => type)).toEqual([
    'transfer',
    'sale',
    'sale',
    'transfer',
    'transfer',
    'consumption',
    'purchase',
    'purchase',
    'grant',
    'grant',
  ]);
});

test('both sides of a transfer have it in their history', async () => {
  const { data } = await history('', 'friend');
  expect(data).toHaveLength(3);
  expect(data.toSorted((a, b) => (a.asset < b.asset ? -1 : 1)).at(0)).toEqual({
    operation: made[3]?.id,
    type: 'transfer',
    at: made[3]?.at,
    asset: 'gem',
    delta: 4,
    balance: 4,
  });
});

test('the history of one asset', async () => {
  const { data, nextCursor } = await history('?asset=gold');
  expect(data).toEqual(fromReceipts('hero').filter(({ asset }) => asset === 'gold'));
  expect(data.map(({ delta, balance }) => [delta, balance])).toEqual([
    [5, 59],
    [4, 54],
    [-30, 50],
    [-20, 80],
    [100, 100],
  ]);
  expect(nextCursor).toBeNull();
});

test('the history of an asset that the account never had is empty', async () => {
  expect(await history('?asset=potion')).toEqual({ data: [], nextCursor: null });
});

test('an account without operations has an empty history', async () => {
  ok(await api.put('/v1/accounts/idle', {}), 201);
  expect(await history('', 'idle')).toEqual({ data: [], nextCursor: null });
});

test.each([1, 2, 3, 7, 10, 200])('pages of %i hold everything once, in order', async (limit) => {
  for (const filter of ['', '&asset=gold', '&asset=gem']) {
    const whole = (await history(`?limit=200${filter}`)).data;
    const seen: HistoryEntry[] = [];
    let cursor = '';
    for (;;) {
      const page = await history(`?limit=${limit}${filter}${cursor}`);
      seen.push(...page.data);
      if (page.nextCursor === null) break;
      expect(page.data).toHaveLength(limit);
      cursor = `&cursor=${encodeURIComponent(page.nextCursor)}`;
    }
    expect(seen).toEqual(whole);
  }
});

test('what happens between two pages neither repeats nor hides what was there', async () => {
  receipt(await api.grant('busy', { gold: 10 }));
  for (let i = 0; i < 4; i += 1) receipt(await api.consume('busy', { gold: 1 }));
  const whole = (await history('', 'busy')).data;
  const seen: HistoryEntry[] = [];
  let cursor = '';
  for (;;) {
    const page = await history(`?limit=2${cursor}`, 'busy');
    seen.push(...page.data);
    receipt(await api.grant('busy', { gold: 1 }));
    if (page.nextCursor === null) break;
    cursor = `&cursor=${encodeURIComponent(page.nextCursor)}`;
  }
  expect(seen).toEqual(whole);
});

test.each(['?asset=a%20b', '?asset=', '?kind=item', '?after=x', '?limit=0'])(
  '%s is refused',
  async (query) => {
    expectProblem(await api.get(`/v1/accounts/hero/entries${query}`), 400, 'invalid_request');
  },
);
