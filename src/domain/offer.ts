import type { Change } from './change.ts';
import type { Listing, RestockRule } from './listing.ts';
import { isExact } from './quantity.ts';
import { catalogConflict, quantityOverflow, type Rejection } from './rejection.ts';
import { refillDue, type Stock } from './stock.ts';

/** A listing as a client puts it: how much stock it offers in all (null: unlimited; undefined: as before). */
export interface ListingInput extends Omit<Listing, 'limited'> {
  readonly stock: number | null | undefined;
}

/** What putting a listing comes to. */
export interface Offer {
  readonly kind: 'offer';
  readonly listing: Listing;
  readonly changes: readonly Change[];
}

/**
 * Works out what putting a listing does to its stock. The same `stock` again refills nothing, another one adds the
 * difference, none leaves it alone, and one below what was sold is refused. What was sold stays sold, also while the
 * listing is unlimited for a time. Refills that the old rule had earned are counted before a new one begins.
 */
export function offer(
  { stock: requested, ...input }: ListingInput,
  before: { listing: Listing | undefined; stock: Stock | undefined },
  nowMs: number,
): Offer | Rejection {
  const id = input.id;
  const limited = requested === undefined ? before.listing?.limited === true : requested !== null;
  const listing = { ...input, limited };
  if (!limited) {
    if (listing.restock === null) return { kind: 'offer', listing, changes: [] };
    return catalogConflict(`listing ${id} is unlimited: there is no stock to refill`, { listing: id });
  }
  const stock = before.stock ?? { listing: id, offered: 0, refilled: 0, remaining: 0, refilledAtMs: nowMs };
  const oldRule = before.listing?.restock ?? null;
  const refill = refillDue(stock, oldRule, nowMs);
  const quantity = (requested ?? stock.offered) - stock.offered;
  const remaining = stock.remaining + refill.quantity + quantity;
  if (remaining < 0) {
    const sold = stock.offered + stock.refilled - stock.remaining;
    return catalogConflict(`listing ${id} has sold ${sold}, more than that stock would have offered`, {
      listing: id,
      sold,
    });
  }
  if (!isExact(remaining)) return quantityOverflow(`the stock of listing ${id}`, { listing: id });
  const refilledAtMs = sameRule(oldRule, listing.restock) ? refill.refilledAtMs : nowMs;
  const changes: Change[] = [];
  if (refilledAtMs !== stock.refilledAtMs) {
    changes.push({ kind: 'refill-stock', listing: id, quantity: refill.quantity, refilledAtMs });
  }
  if (quantity !== 0 || before.stock === undefined)
    changes.push({ kind: 'add-stock', listing: id, quantity });
  return { kind: 'offer', listing, changes };
}

function sameRule(a: RestockRule | null, b: RestockRule | null): boolean {
  return a?.quantity === b?.quantity && a?.everySeconds === b?.everySeconds && a?.max === b?.max;
}
