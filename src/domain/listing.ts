import type { AssetQuantity } from './quantity.ts';

/** What a shop sells. */
export interface Listing {
  readonly id: string;
  /** For one unit. */
  readonly price: readonly AssetQuantity[];
  /** In one unit. */
  readonly goods: readonly AssetQuantity[];
  /** Whether units run out: a limited listing has a stock row, which a purchase locks. */
  readonly limited: boolean;
  /** The most units one account may buy, in each period where there is one; null: no limit. */
  readonly perAccountLimit: number | null;
  /** A period begins with the first purchase in it; null: the limit holds forever. */
  readonly limitPeriodSeconds: number | null;
  readonly opensAtMs: number | null;
  readonly closesAtMs: number | null;
  /** How the stock refills itself as time passes; null: it does not. */
  readonly restock: RestockRule | null;
}

/** Every `everySeconds`, `quantity` more units are offered, as long as no more than `max` are left. */
export interface RestockRule {
  readonly quantity: number;
  readonly everySeconds: number;
  readonly max: number;
}

/** Tells whether a listing sells at that moment: from `opensAt` on, until just before `closesAt`. */
export function isOpen(listing: Listing, nowMs: number): boolean {
  return (
    (listing.opensAtMs === null || nowMs >= listing.opensAtMs) &&
    (listing.closesAtMs === null || nowMs < listing.closesAtMs)
  );
}

/** How many units an account bought of a listing with a limit since its current period began; or its rewards in a day. */
export interface PurchaseCount {
  readonly account: string;
  /** Or what `rewardCounter` calls a reward rule's. */
  readonly listing: string;
  readonly count: number;
  readonly sinceMs: number;
}
