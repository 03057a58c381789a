import { afterEach, expect, it } from 'vitest';
import { accountNames, audit, ConfirmedPurchases, type Shop, type ShopService } from '../load/shop.ts';
import { execute } from '../load/throwaway-postgres.ts';
import { createTestDatabase } from '../test/support/database.ts';
import { startOther } from './demo-services.ts';
import { rush } from './rush.ts';
import type { DemoServiceName } from './service-process.ts';

const shop: Shop = { accounts: accountNames(4), gold: 1_000_000, price: 10, stock: 10 };
const running: ShopService[] = [];

afterEach(async () => {
  for (const service of running.splice(0)) await service.stop();
});

/** A second of the demonstration's workload, and what the books say of it. */
async function booksAfterRush(
  name: DemoServiceName,
  replicas: number,
): Promise<{ purchases: number; crowns: number } & Awaited<ReturnType<typeof audit>>> {
  const { url } = await createTestDatabase();
  // What was cloned holds the tables of Holdfast.
  await execute(url, 'drop schema public cascade; create schema public');
  const service = await startOther(name, { databaseUrl: url, replicas, shop });
  running.push(service);
  const confirmed = new ConfirmedPurchases();
  const { purchases } = await rush({
    service,
    shop,
    confirmed,
    durationMs: 1000,
    name: 'rush',
    onProgress: () => undefined,
    signal: AbortSignal.timeout(15_000),
  });
  return { purchases, crowns: confirmed.sold('crown'), ...(await audit(url, shop, confirmed)) };
}

it('a mutex in memory is right with one process', async () => {
  const { purchases, crowns, expected, found, wrongRows } = await booksAfterRush('unsafe-mutex', 1);
  expect(purchases).toBeGreaterThan(crowns);
  expect(crowns).toBe(shop.stock);
  expect([expected, found, wrongRows]).toEqual([purchases, purchases, 0]);
});

it('a mutex in memory loses updates and oversells with three', async () => {
  const { lost, oversold } = await booksAfterRush('unsafe-mutex', 3);
  expect(lost).toBeGreaterThan(0);
  expect(oversold).toBeGreaterThan(0);
});

it('row locks are right with three processes', async () => {
  const { purchases, crowns, expected, found, wrongRows } = await booksAfterRush('row-lock', 3);
  expect(purchases).toBeGreaterThan(crowns);
  expect(crowns).toBe(shop.stock);
  expect([expected, found, wrongRows]).toEqual([purchases, purchases, 0]);
});

it('the row-lock service answers as the contract says where the demonstration does not look', async () => {
  const { url } = await createTestDatabase();
  await execute(url, 'drop schema public cascade; create schema public');
  const service = await startOther('row-lock', { databaseUrl: url, replicas: 1, shop });
  running.push(service);
  const buy = async (body: object, headers: Record<string, string>): Promise<Response> =>
    await fetch(`${service.replicas[0]?.url ?? ''}/v1/purchases`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
  const known = { ...service.headers, 'idempotency-key': 'one' };
  const [account] = shop.accounts;
  const first = await buy({ account, listing: 'crown', quantity: 2 }, known);
  const receipt = await first.text();
  expect(first.status).toBe(201);
  expect(JSON.parse(receipt)).toMatchObject({
    type: 'purchase',
    entries: [
      { account, asset: 'gold', delta: -20, balance: shop.gold - 20 },
      { account, asset: 'crown', delta: 2, balance: 2 },
    ],
    accounts: { [String(account)]: { version: 1 } },
  });
  const again = await buy({ account, listing: 'crown', quantity: 2 }, known);
  expect([again.status, again.headers.get('idempotency-replayed'), await again.text()]).toEqual([
    201,
    'true',
    receipt,
  ]);
  const refusals = [
    [await buy({ account, listing: 'potion' }, known), 422, 'idempotency_key_reused'],
    [await buy({ account, listing: 'potion' }, { 'idempotency-key': 'two' }), 401, 'unauthenticated'],
    [await buy({ account, listing: 'none' }, { ...known, 'idempotency-key': '3' }), 404, 'listing_not_found'],
    [
      await buy({ account: 'x', listing: 'crown' }, { ...known, 'idempotency-key': '4' }),
      404,
      'account_not_found',
    ],
    [
      await buy({ account, listing: 'crown', quantity: 49 }, { ...known, 'idempotency-key': '5' }),
      409,
      'out_of_stock',
    ],
    [
      await buy({ account, listing: 'potion', quantity: 999_999 }, { ...known, 'idempotency-key': '6' }),
      409,
      'insufficient_balance',
    ],
    [
      await buy({ account, listing: 'crown', quantity: '1' }, { ...known, 'idempotency-key': '7' }),
      400,
      'invalid_request',
    ],
  ] as const;
  for (const [response, status, code] of refusals)
    expect([response.status, await response.json()]).toEqual([status, expect.objectContaining({ code })]);
});
