/**
 * What a decision may do to the state: a closed union, so that everything that can happen to a holding is known
 * in one place (`Ledger.apply`) and can be saved, replayed and verified by it.
 */
export type Change = Move | TakeStock | AddStock | RefillStock | CountPurchases;

/** Adds `delta` to a holding; negative takes away. The account and the holding come to be if they were not there. */
export interface Move {
  readonly kind: 'move';
  readonly account: string;
  readonly asset: string;
  readonly delta: number;
}

/** Sells units of a limited listing. */
export interface TakeStock {
  readonly kind: 'take-stock';
  readonly listing: string;
  readonly quantity: number;
}

/** Offers more units of a limited listing; negative withdraws. The stock comes to be if it was not there. */
export interface AddStock {
  readonly kind: 'add-stock';
  readonly listing: string;
  readonly quantity: number;
}

/** Counts the units that a listing's own rule has added up to a moment. */
export interface RefillStock {
  readonly kind: 'refill-stock';
  readonly listing: string;
  readonly quantity: number;
  readonly refilledAtMs: number;
}

/** Records how many units an account bought in the listing's current period, or how many rewards it earned in a day. */
export interface CountPurchases {
  readonly kind: 'count-purchases';
  readonly account: string;
  /** Or what `rewardCounter` calls a reward rule's. */
  readonly listing: string;
  readonly count: number;
  readonly sinceMs: number;
}
