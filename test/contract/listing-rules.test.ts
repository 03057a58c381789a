import { beforeAll, expect, test } from 'vitest';
import { lines, type Answer, type Api } from '../support/api.ts';
import { expectProblem, ok, receipt, type Listing } from '../support/resources.ts';
import { serveMarket } from '../support/served-market.ts';
import { until } from '../support/until.ts';

let api: Api;

beforeAll(async () => {
  ({ api } = await serveMarket());
});

const free = { price: [], goods: lines({ xp: 1 }) };

async function list(id: string, body: Record<string, unknown>): Promise<void> {
  ok(await api.put(`/v1/listings/${id}`, { ...free, ...body }), 201);
}

/** Buys until an answer is another one than so far, and gives that. */
async function changeOfAnswer(account: string, listing: string, from: number): Promise<Answer> {
  let answer: Answer | undefined;
  await until(`${listing} is answered otherwise than with ${from}`, async () => {
    answer = await api.purchase(account, listing);
    return answer.status !== from;
  });
  if (answer === undefined) throw new Error('there was an answer');
  return answer;
}

async function open(account: string): Promise<void> {
  ok(await api.put(`/v1/accounts/${account}`, {}), 201);
}

test('an account buys no more than its limit, in one purchase or several', async () => {
  await Promise.all([open('limited'), open('another'), list('rare', { perAccountLimit: 3 })]);
  expectProblem(await api.purchase('limited', 'rare', 4), 409, 'purchase_limit_reached', {
    title: 'Purchase limit reached',
    listing: 'rare',
    retryable: false,
  });
  receipt(await api.purchase('limited', 'rare', 2));
  expectProblem(await api.purchase('limited', 'rare', 2), 409, 'purchase_limit_reached');
  receipt(await api.purchase('limited', 'rare', 1));
  expectProblem(await api.purchase('limited', 'rare', 1), 409, 'purchase_limit_reached');
  receipt(await api.purchase('another', 'rare', 3));
});

test('simultaneous purchases do not get past the limit', async () => {
  await Promise.all([open('crowd'), list('crowded', { perAccountLimit: 5, stock: 100 })]);
  const answers = await Promise.all(Array.from({ length: 20 }, () => api.purchase('crowd', 'crowded')));
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(5);
  for (const answer of answers.filter(({ status }) => status !== 201))
    expectProblem(answer, 409, 'purchase_limit_reached');
  expect(ok<Listing>(await api.get('/v1/listings/crowded')).remaining).toBe(95);
});

test('a rejected purchase does not count towards the limit', async () => {
  ok(
    await api.put('/v1/listings/dear', {
      price: lines({ gold: 10 }),
      goods: lines({ xp: 1 }),
      perAccountLimit: 1,
    }),
    201,
  );
  await open('poor');
  expectProblem(await api.purchase('poor', 'dear'), 409, 'insufficient_balance');
  ok(await api.grant('poor', { gold: 10 }), 201);
  receipt(await api.purchase('poor', 'dear'));
});

test('a limit that is raised leaves room for the difference', async () => {
  await Promise.all([open('raised'), list('raising', { perAccountLimit: 1 })]);
  receipt(await api.purchase('raised', 'raising'));
  ok(await api.put('/v1/listings/raising', { ...free, perAccountLimit: 3 }));
  expectProblem(await api.purchase('raised', 'raising', 3), 409, 'purchase_limit_reached');
  receipt(await api.purchase('raised', 'raising', 2));
});

test.concurrent('a limit holds for a period, and begins anew after it', async () => {
  await Promise.all([open('daily'), list('weekly', { perAccountLimit: 1, limitPeriodSeconds: 2 })]);
  const first = receipt(await api.purchase('daily', 'weekly'));
  expectProblem(await api.purchase('daily', 'weekly'), 409, 'purchase_limit_reached');
  const second = receipt(await changeOfAnswer('daily', 'weekly', 409));
  expect(Date.parse(second.at) - Date.parse(first.at)).toBeGreaterThanOrEqual(2000);
  expect(Date.parse(second.at) - Date.parse(first.at)).toBeLessThan(4000);
  expectProblem(await api.purchase('daily', 'weekly'), 409, 'purchase_limit_reached');
});

test('a listing that has not opened yet, or is over, is closed', async () => {
  await open('visitor');
  await list('future', { opensAt: '2099-01-01T00:00:00.000Z' });
  await list('past', { closesAt: '2020-01-01T00:00:00.000Z' });
  await list('present', { opensAt: '2020-01-01T00:00:00.000Z', closesAt: '2099-01-01T00:00:00.000Z' });
  expectProblem(await api.purchase('visitor', 'future'), 409, 'listing_closed', {
    title: 'Listing closed',
    listing: 'future',
    retryable: false,
  });
  expectProblem(await api.purchase('visitor', 'past'), 409, 'listing_closed', { listing: 'past' });
  receipt(await api.purchase('visitor', 'present'));
});

test.concurrent('a listing opens at its moment', async () => {
  await open('early');
  const opensAt = new Date(Date.now() + 1000).toISOString();
  await list('opening', { opensAt });
  const first = receipt(await changeOfAnswer('early', 'opening', 409));
  expect(Date.parse(first.at)).toBeGreaterThanOrEqual(Date.parse(opensAt));
});

test.concurrent('a listing closes at its moment', async () => {
  await open('late');
  const closesAt = new Date(Date.now() + 1000).toISOString();
  await list('closing', { closesAt });
  let last = receipt(await api.purchase('late', 'closing'));
  await until('the listing is closed', async () => {
    const answer = await api.purchase('late', 'closing');
    if (answer.status === 201) last = receipt(answer);
    else expectProblem(answer, 409, 'listing_closed');
    return answer.status !== 201;
  });
  expect(Date.parse(last.at)).toBeLessThan(Date.parse(closesAt));
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(closesAt));
});

test.concurrent(
  'a restock rule refills by its quantity, up to its maximum, and what is offered stays as it was put',
  async () => {
    const rule = { stock: 4, restock: { quantity: 2, everySeconds: 1, max: 3 } };
    await Promise.all([open('patient'), list('refilled', rule)]);
    receipt(await api.purchase('patient', 'refilled', 4));
    const seen = new Set<number | null>();
    await until('the stock is full', async () => {
      const { remaining } = ok<Listing>(await api.get('/v1/listings/refilled'));
      seen.add(remaining);
      return remaining === 3;
    });
    expect(seen).toEqual(new Set([0, 2, 3]));
    expect(ok(await api.put('/v1/listings/refilled', { ...free, ...rule }))).toMatchObject({ remaining: 3 });
    receipt(await api.purchase('patient', 'refilled', 3));
  },
);

test.concurrent('a refill can be bought at once', async () => {
  await Promise.all([
    open('waiting'),
    list('awaited', { stock: 1, restock: { quantity: 1, everySeconds: 1, max: 1 } }),
  ]);
  const first = receipt(await api.purchase('waiting', 'awaited'));
  const second = receipt(await changeOfAnswer('waiting', 'awaited', 409));
  expect(Date.parse(second.at) - Date.parse(first.at)).toBeLessThan(3000);
  expectProblem(await api.purchase('waiting', 'awaited'), 409, 'out_of_stock', { remaining: 0 });
});

test.concurrent('a stock above the maximum of its restock rule is left as it is', async () => {
  await open('rich');
  await list('plenty', { stock: 10, restock: { quantity: 5, everySeconds: 1, max: 3 } });
  const first = receipt(await api.purchase('rich', 'plenty'));
  await until('a refill would have been due', async () => {
    const later = receipt(await api.grant('rich', { gold: 1 }));
    return Date.parse(later.at) - Date.parse(first.at) > 1100;
  });
  expect(ok<Listing>(await api.get('/v1/listings/plenty')).remaining).toBe(9);
});

const twoLines = { price: lines({ gold: 10, gem: 2 }), goods: lines({ sword: 1 }) };

test.each<[string, unknown, boolean]>([
  ['as it is', lines({ gold: 10, gem: 2 }), true],
  ['in another order', lines({ gem: 2, gold: 10 }), true],
  ['with another quantity', lines({ gold: 11, gem: 2 }), false],
  ['lower', lines({ gold: 9, gem: 2 }), false],
  ['with a line missing', lines({ gold: 10 }), false],
  ['with a line more', lines({ gold: 10, gem: 2, xp: 1 }), false],
  ['of nothing', [], false],
  ['for the whole of it instead of one unit', lines({ gold: 20, gem: 4 }), false],
])('a price expected %s', async (what, expectedPrice, accepted) => {
  const listing = `expected-${what.replaceAll(' ', '-')}`;
  ok(await api.put(`/v1/listings/${listing}`, twoLines), 201);
  ok(await api.grant(listing, { gold: 100, gem: 100 }), 201);
  const answer = await api.post('/v1/purchases', { account: listing, listing, quantity: 2, expectedPrice });
  if (accepted) receipt(answer);
  else expectProblem(answer, 409, 'price_changed', { title: 'Price changed', listing, retryable: false });
  expect(ok(await api.get(`/v1/accounts/${listing}`))).toMatchObject({ version: accepted ? 2 : 1 });
});
