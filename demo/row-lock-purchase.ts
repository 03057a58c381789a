import { setTimeout as sleep } from 'node:timers/promises';
import type { Kysely, Transaction } from 'kysely';
import { newOperationId } from '../src/execution/operation-id.ts';
import type { AssetQuantity, RowLockTables } from './row-lock-database.ts';

export interface PurchaseRequest {
  readonly account: string;
  readonly listing: string;
  readonly quantity: number;
  readonly actor: string;
  readonly idempotencyKey: string;
  readonly requestHash: string;
}

/** A purchase that may not be made. Nothing was changed. */
export class Refusal extends Error {
  override name = 'Refusal';
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, detail: string) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

export interface Purchased {
  /** JSON, the same to the letter each time the key is used. */
  readonly receipt: string;
  readonly replayed: boolean;
}

const triesMax = 5;
const backoffMs = 20;

/** Buys in one transaction, at most once under its key. A deadlock or a serialization failure is tried again. */
export async function purchase(db: Kysely<RowLockTables>, request: PurchaseRequest): Promise<Purchased> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await db.transaction().execute(async (trx) => await purchaseLocked(trx, request));
    } catch (error) {
      if (!mayPass(error) || tries === triesMax) throw error;
      await sleep(Math.random() * backoffMs * 2 ** tries);
    }
  }
}

/** Lock, read, decide, write. The account's row guards its holdings and keys; stock is the hottest row and locked last. */
async function purchaseLocked(trx: Transaction<RowLockTables>, request: PurchaseRequest): Promise<Purchased> {
  const { account: id, actor, idempotencyKey, requestHash, quantity } = request;
  const account = await trx
    .selectFrom('accounts')
    .select('version')
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst();
  if (account === undefined) throw new Refusal(404, 'account_not_found', `there is no account ${id}`);

  const earlier = await trx
    .selectFrom('operations')
    .select(['request_hash', (eb) => eb.cast<string>('receipt', 'text').as('receipt')])
    .where('account', '=', id)
    .where('actor', '=', actor)
    .where('idempotency_key', '=', idempotencyKey)
    .executeTakeFirst();
  if (earlier !== undefined) {
    if (earlier.request_hash !== requestHash)
      throw new Refusal(422, 'idempotency_key_reused', 'the key was used for another request');
    return { receipt: earlier.receipt, replayed: true };
  }

  const listing = await trx
    .selectFrom('listings')
    .select(['price', 'goods', 'limited'])
    .where('id', '=', request.listing)
    .executeTakeFirst();
  if (listing === undefined)
    throw new Refusal(404, 'listing_not_found', `there is no listing ${request.listing}`);
  const deltas = deltasOf(listing, quantity);
  const holdings = await trx
    .selectFrom('holdings')
    .select(['asset', 'quantity'])
    .where('account', '=', id)
    .where('asset', 'in', [...deltas.keys()])
    .execute();
  const balances = new Map(holdings.map((holding) => [holding.asset, holding.quantity]));
  const entries = [...deltas].map(([asset, delta]) => ({
    account: id,
    asset,
    delta,
    balance: (balances.get(asset) ?? 0) + delta,
  }));
  const short = entries.find(({ balance }) => balance < 0);
  if (short !== undefined)
    throw new Refusal(409, 'insufficient_balance', `account ${id} has too little ${short.asset}`);
  if (listing.limited) await takeStock(trx, request);

  const at = new Date();
  const version = account.version + 1;
  const operation = { id: newOperationId(), type: 'purchase', actor };
  const receipt = JSON.stringify({
    ...operation,
    at,
    dryRun: false,
    entries,
    accounts: { [id]: { version } },
    details: { listing: request.listing, quantity },
  });
  await trx
    .insertInto('holdings')
    .values(
      entries.map(({ account: owner, asset, balance }) => ({ account: owner, asset, quantity: balance })),
    )
    .onConflict((conflict) =>
      conflict.columns(['account', 'asset']).doUpdateSet((eb) => ({ quantity: eb.ref('excluded.quantity') })),
    )
    .execute();
  await trx.updateTable('accounts').set({ version, at }).where('id', '=', id).execute();
  await trx
    .insertInto('operations')
    .values({
      ...operation,
      account: id,
      at,
      idempotency_key: idempotencyKey,
      request_hash: requestHash,
      receipt,
    })
    .execute();
  await trx
    .insertInto('entries')
    .values(entries.map((entry) => ({ ...entry, version, operation: operation.id })))
    .execute();
  return { receipt, replayed: false };
}

async function takeStock(
  trx: Transaction<RowLockTables>,
  { listing, quantity }: PurchaseRequest,
): Promise<void> {
  const stock = await trx
    .selectFrom('stock')
    .select('remaining')
    .where('listing', '=', listing)
    .forUpdate()
    .executeTakeFirst();
  const remaining = stock?.remaining ?? 0;
  if (remaining < quantity)
    throw new Refusal(409, 'out_of_stock', `listing ${listing} has ${remaining} of ${quantity} left`);
  await trx
    .updateTable('stock')
    .set({ remaining: remaining - quantity })
    .where('listing', '=', listing)
    .execute();
}

/** What a purchase does to each asset, summed: price and goods may share one. */
function deltasOf(
  listing: { price: readonly AssetQuantity[]; goods: readonly AssetQuantity[] },
  quantity: number,
): Map<string, number> {
  const deltas = new Map<string, number>();
  for (const line of listing.price)
    deltas.set(line.asset, (deltas.get(line.asset) ?? 0) - line.quantity * quantity);
  for (const line of listing.goods)
    deltas.set(line.asset, (deltas.get(line.asset) ?? 0) + line.quantity * quantity);
  return deltas;
}

/** Deadlock and serialization failure (PostgreSQL manual, appendix A). */
function mayPass(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === '40P01' || error.code === '40001');
}
