import type { Catalog } from '../catalog.ts';
import type { Change } from '../change.ts';
import { accept, type CommandType, type Context, type Decision } from '../command.ts';
import { isOpen, type Listing, type PurchaseCount } from '../listing.ts';
import { isExact, type AssetQuantity } from '../quantity.ts';
import {
  listingClosed,
  listingNotFound,
  outOfStock,
  priceChanged,
  purchaseLimitReached,
  quantityOverflow,
  type Rejection,
} from '../rejection.ts';
import { isRejection, postings, requireAccount, settle } from '../settlement.ts';
import type { State } from '../state.ts';
import { refillDue } from '../stock.ts';
import { timeMaxMs, timestamp, timestampOrNull } from '../time.ts';
import { touchesOnlyItsHome } from './record-checks.ts';

export interface PurchaseInput {
  readonly account: string;
  readonly listing: string;
  readonly quantity: number;
  /** What the caller believes one unit costs. */
  readonly expectedPrice?: readonly AssetQuantity[];
}

/**
 * Buys units of a listing: takes the price, gives the goods, and takes limited stock. Price and goods settle
 * together: of an asset that is in both, only the difference counts.
 */
export const purchase: CommandType<PurchaseInput> = {
  type: 'purchase',
  home: ({ account }) => account,
  footprint({ account, listing: id }, catalog: Catalog) {
    const listing = catalog.listings.get(id);
    const assets = listing === undefined ? [] : [...listing.price, ...listing.goods];
    return {
      accounts: [account],
      creates: [],
      holdings: assets.map(({ asset }) => ({ account, asset })),
      stock: listing?.limited === true ? [id] : [],
      purchases: listing === undefined || listing.perAccountLimit === null ? [] : [{ account, listing: id }],
    };
  },
  decide({ account, listing: id, quantity, expectedPrice }, state, context): Decision {
    const listing = state.catalog.listings.get(id);
    if (listing === undefined) return listingNotFound(id);
    const refused = requireAccount(state, account) ?? refuseSale(listing, expectedPrice, context);
    if (refused !== undefined) return refused;
    const stock = takeStock(state, listing, quantity, context);
    if (isRejection(stock)) return stock;
    const counted = countPurchases(state, listing, { account, quantity }, context);
    if (isRejection(counted)) return counted;
    const price = postings(account, listing.price, -quantity);
    if (isRejection(price)) return price;
    const goods = postings(account, listing.goods, quantity);
    if (isRejection(goods)) return goods;
    const moves = settle(state, [...price, ...goods]);
    return isRejection(moves) ? moves : accept([...moves, ...stock, ...counted], { listing: id, quantity });
  },
  check(operation) {
    const { listing, quantity } = operation.receipt.details;
    const otherwise = operation.stock.filter((line) => line.listing !== listing || line.taken !== quantity);
    return [
      ...touchesOnlyItsHome(operation),
      ...otherwise.map(
        (line) =>
          `it took ${line.taken} of listing ${line.listing}, which is not what its details say it bought`,
      ),
    ];
  },
};

function refuseSale(
  listing: Listing,
  expectedPrice: readonly AssetQuantity[] | undefined,
  { nowMs }: Context,
): Rejection | undefined {
  if (!isOpen(listing, nowMs)) {
    return listingClosed(listing.id, {
      opensAt: timestampOrNull(listing.opensAtMs),
      closesAt: timestampOrNull(listing.closesAtMs),
    });
  }
  if (expectedPrice !== undefined && !samePrice(expectedPrice, listing.price))
    return priceChanged(listing.id, listing.price);
  return undefined;
}

/** Tells whether two prices come to the same, in whatever order and lines they are written. */
function samePrice(a: readonly AssetQuantity[], b: readonly AssetQuantity[]): boolean {
  const difference = new Map<string, number>();
  for (const { asset, quantity } of a) difference.set(asset, (difference.get(asset) ?? 0) + quantity);
  for (const { asset, quantity } of b) difference.set(asset, (difference.get(asset) ?? 0) - quantity);
  return [...difference.values()].every((quantity) => quantity === 0);
}

function takeStock(
  state: State,
  listing: Listing,
  quantity: number,
  { nowMs }: Context,
): readonly Change[] | Rejection {
  if (!listing.limited) return [];
  const stock = state.stock(listing.id);
  if (stock === undefined) return outOfStock({ listing: listing.id, required: quantity, remaining: 0 });
  const refill = refillDue(stock, listing.restock, nowMs);
  const remaining = stock.remaining + refill.quantity;
  if (remaining < quantity) return outOfStock({ listing: listing.id, required: quantity, remaining });
  const taken: Change = { kind: 'take-stock', listing: listing.id, quantity };
  if (refill.refilledAtMs === stock.refilledAtMs) return [taken];
  return [{ kind: 'refill-stock', listing: listing.id, ...refill }, taken];
}

function countPurchases(
  state: State,
  listing: Listing,
  { account, quantity }: { account: string; quantity: number },
  { nowMs }: Context,
): readonly Change[] | Rejection {
  const limit = listing.perAccountLimit;
  if (limit === null) return [];
  const current = currentPeriod(state.purchases(account, listing.id), listing, nowMs);
  const { count, sinceMs } = current ?? { count: 0, sinceMs: nowMs };
  if (!isExact(count + quantity))
    return quantityOverflow(`the purchases of listing ${listing.id}`, { account, listing: listing.id });
  if (count + quantity > limit) {
    const endsAtMs = sinceMs + (listing.limitPeriodSeconds ?? Infinity) * 1000;
    const resetsAt = count === 0 || endsAtMs > timeMaxMs ? null : timestamp(endsAtMs);
    return purchaseLimitReached({ account, listing: listing.id, limit, purchased: count, resetsAt });
  }
  return [{ kind: 'count-purchases', account, listing: listing.id, count: count + quantity, sinceMs }];
}

/** The count, unless its period is over. */
function currentPeriod(
  counted: PurchaseCount | undefined,
  listing: Listing,
  nowMs: number,
): PurchaseCount | undefined {
  if (counted === undefined || listing.limitPeriodSeconds === null) return counted;
  return nowMs < counted.sinceMs + listing.limitPeriodSeconds * 1000 ? counted : undefined;
}
