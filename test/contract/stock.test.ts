import { beforeAll, expect, test } from 'vitest';
import { lines, type Api } from '../support/api.ts';
import { expectInvalid, expectProblem, ok, receipt, type Listing } from '../support/resources.ts';
import { serveMarketPair } from '../support/served-market.ts';

let api: Api;
let other: Api;

beforeAll(async () => {
  [api, other] = await serveMarketPair();
  ok(await api.grant('buyer', { gold: 1_000_000 }), 201);
});

const free = { price: [], goods: lines({ xp: 1 }) };

async function put(id: string, body: Record<string, unknown>): Promise<Listing> {
  const answer = await api.put(`/v1/listings/${id}`, { ...free, ...body });
  return ok<Listing>(answer, answer.status === 201 ? 201 : 200);
}

async function buy(id: string, quantity: number): Promise<void> {
  receipt(await api.purchase('buyer', id, quantity));
}

/** What each of both replicas shows, which must be the same. */
async function offered(id: string): Promise<[number | null, number | null]> {
  const [one, two] = await Promise.all(
    [api, other].map(async (replica) => ok<Listing>(await replica.get(`/v1/listings/${id}`))),
  );
  expect(two).toEqual(one);
  return [one?.stock ?? null, one?.remaining ?? null];
}

test('a purchase takes from what is left, not from what is offered', async () => {
  await put('taken', { stock: 10 });
  await buy('taken', 4);
  expect(await offered('taken')).toEqual([10, 6]);
});

test('the last one can be bought, and then none', async () => {
  await put('sword-sale', { stock: 2 });
  await buy('sword-sale', 2);
  const answer = await api.purchase('buyer', 'sword-sale');
  expectProblem(answer, 409, 'out_of_stock', {
    type: '/docs/errors#out_of_stock',
    title: 'Out of stock',
    detail: 'listing sword-sale has 0 of 1 left',
    instance: '/v1/purchases',
    retryable: false,
    listing: 'sword-sale',
    remaining: 0,
  });
});

test('more than is left is refused as a whole', async () => {
  await put('few', { stock: 3 });
  expectProblem(await api.purchase('buyer', 'few', 4), 409, 'out_of_stock', { listing: 'few', remaining: 3 });
  expect(await offered('few')).toEqual([3, 3]);
  await buy('few', 3);
});

test('a stock of nothing is sold out from the start', async () => {
  await put('none', { stock: 0 });
  expect(await offered('none')).toEqual([0, 0]);
  expectProblem(await api.purchase('buyer', 'none'), 409, 'out_of_stock', { remaining: 0 });
});

test('putting the same listing again refills nothing', async () => {
  await put('same', { stock: 10 });
  await buy('same', 4);
  expect(await put('same', { stock: 10 })).toMatchObject({ stock: 10, remaining: 6 });
  expect(await put('same', { stock: 10 })).toMatchObject({ stock: 10, remaining: 6 });
  expect(await offered('same')).toEqual([10, 6]);
});

test('another stock adds the difference, up or down', async () => {
  await put('changed', { stock: 10 });
  await buy('changed', 4);
  expect(await put('changed', { stock: 15 })).toMatchObject({ stock: 15, remaining: 11 });
  expect(await put('changed', { stock: 12 })).toMatchObject({ stock: 12, remaining: 8 });
  expect(await put('changed', { stock: 4 })).toMatchObject({ stock: 4, remaining: 0 });
});

test('a stock below what was sold is a catalog conflict, and changes nothing', async () => {
  await put('oversold', { stock: 10 });
  await buy('oversold', 4);
  const answer = await api.put('/v1/listings/oversold', { ...free, price: lines({ gold: 99 }), stock: 3 });
  expectProblem(answer, 409, 'catalog_conflict', { title: 'Catalog conflict', listing: 'oversold' });
  expect(await offered('oversold')).toEqual([10, 6]);
  expect(ok(await api.get('/v1/listings/oversold'))).toMatchObject({ price: [] });
});

test('no stock in a later put leaves it alone', async () => {
  await put('left-alone', { stock: 10 });
  await buy('left-alone', 4);
  expect(await put('left-alone', { price: lines({ gold: 1 }) })).toMatchObject({ stock: 10, remaining: 6 });
  expect(await offered('left-alone')).toEqual([10, 6]);
});

test('a stock of null makes it unlimited', async () => {
  await put('unlimited', { stock: 1 });
  await buy('unlimited', 1);
  expect(await put('unlimited', { stock: null })).toMatchObject({ stock: null, remaining: null });
  expect(await offered('unlimited')).toEqual([null, null]);
  await buy('unlimited', 1000);
  expect(await put('unlimited', {})).toMatchObject({ stock: null, remaining: null });
});

test('an unlimited listing can become limited, and only what is sold from then on counts', async () => {
  await put('limited', {});
  await buy('limited', 50);
  expect(await put('limited', { stock: 2 })).toMatchObject({ stock: 2, remaining: 2 });
  await buy('limited', 2);
  expectProblem(await api.purchase('buyer', 'limited'), 409, 'out_of_stock', { remaining: 0 });
});

test('a restock adds to what is offered and to what is left', async () => {
  await put('restocked', { stock: 2 });
  await buy('restocked', 2);
  const added = receipt(await api.post('/v1/listings/restocked/restock', { quantity: 5 }));
  expect(added).toMatchObject({ type: 'restock', dryRun: false, entries: [], accounts: {} });
  expect(added.details).toMatchObject({ listing: 'restocked', quantity: 5 });
  expect(await offered('restocked')).toEqual([7, 5]);
  expect(await put('restocked', { stock: 7 })).toMatchObject({ stock: 7, remaining: 5 });
});

test('a restock is on record', async () => {
  await put('recorded', { stock: 1 });
  const added = receipt(await api.post('/v1/listings/recorded/restock', { quantity: 3 }));
  expect(ok(await other.get(`/v1/operations/${added.id}`))).toEqual(added);
});

test('a restock takes a key', async () => {
  await put('keyed', { stock: 1 });
  const body = { quantity: 3 };
  const path = '/v1/listings/keyed/restock';
  const first = await api.post(path, body, { key: 'restock-once' });
  const second = await other.post(path, body, { key: 'restock-once' });
  receipt(first);
  expect(second).toMatchObject({ status: 201, text: first.text });
  expect(second.headers['idempotency-replayed']).toBe('true');
  expect(await offered('keyed')).toEqual([4, 4]);
  const changed = await api.post(path, { quantity: 4 }, { key: 'restock-once' });
  expectProblem(changed, 422, 'idempotency_key_reused');
  expect(await offered('keyed')).toEqual([4, 4]);
});

test('a restock of what is not limited, or not there', async () => {
  await put('endless', {});
  expectProblem(await api.post('/v1/listings/endless/restock', { quantity: 1 }), 409, 'catalog_conflict');
  expect(await offered('endless')).toEqual([null, null]);
  expectProblem(await api.post('/v1/listings/nowhere/restock', { quantity: 1 }), 404, 'listing_not_found', {
    listing: 'nowhere',
  });
});

test.each<[string, unknown, string]>([
  ['no quantity', {}, '/quantity'],
  ['nothing', { quantity: 0 }, '/quantity'],
  ['text', { quantity: '5' }, '/quantity'],
  ['a part', { quantity: 0.5 }, '/quantity'],
  ['null', { quantity: null }, '/quantity'],
  ['more fields', { quantity: 1, account: 'a' }, '/account'],
])('a restock of %s is refused', async (_what, body, path) => {
  expectInvalid(await api.post('/v1/listings/sword/restock', body), path);
});

test('a stock cannot grow past what is exact', async () => {
  const max = Number.MAX_SAFE_INTEGER;
  expect(await put('full', { stock: max })).toMatchObject({ stock: max, remaining: max });
  expectProblem(await api.post('/v1/listings/full/restock', { quantity: 1 }), 409, 'quantity_overflow');
  expect(await offered('full')).toEqual([max, max]);
});

test('changes of the stock and purchases on two replicas at once lose no unit', async () => {
  await put('contended', { stock: 1000 });
  const buys = Array.from({ length: 40 }, (_, i) =>
    (i % 2 === 0 ? api : other).purchase('buyer', 'contended', 2),
  );
  const puts = Array.from({ length: 10 }, (_, i) =>
    (i % 2 === 0 ? other : api).put('/v1/listings/contended', { ...free, stock: 1001 + i }),
  );
  const restocks = Array.from({ length: 10 }, (_, i) =>
    (i % 2 === 0 ? api : other).post('/v1/listings/contended/restock', { quantity: 1 }),
  );
  const answers = await Promise.all([...buys, ...restocks, ...puts]);
  expect(answers.map(({ status }) => status)).toEqual([
    ...Array<number>(50).fill(201),
    ...Array<number>(10).fill(200),
  ]);
  const [stock, remaining] = await offered('contended');
  expect(Number(stock) - Number(remaining)).toBe(80);
});
