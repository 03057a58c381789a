import type { JsonObject } from './json.ts';
import { quantityMax, type AssetQuantity } from './quantity.ts';

/**
 * A command that the rules refuse: nothing was changed. It is a value, not an exception, because being refused
 * is an ordinary outcome. `detail` is a sentence for people, `members` is what helps a program.
 */
export interface Rejection {
  readonly kind: 'rejected';
  readonly code: RejectionCode;
  readonly detail: string;
  readonly members: JsonObject;
}

export type RejectionCode =
  | 'account_not_found'
  | 'asset_not_found'
  | 'listing_not_found'
  | 'insufficient_balance'
  | 'out_of_stock'
  | 'purchase_limit_reached'
  | 'price_changed'
  | 'listing_closed'
  | 'capacity_exceeded'
  | 'stack_limit_exceeded'
  | 'quantity_overflow'
  | 'not_tradable'
  | 'not_sellable'
  | 'same_account'
  | 'catalog_conflict'
  | 'reward_not_earned'
  | 'version_mismatch'
  | 'idempotency_key_reused';

function rejection(code: RejectionCode, detail: string, members: JsonObject): Rejection {
  return { kind: 'rejected', code, detail, members };
}

export function accountNotFound(account: string): Rejection {
  return rejection('account_not_found', `account ${account} does not exist`, { account });
}

export function assetNotFound(asset: string): Rejection {
  return rejection('asset_not_found', `asset ${asset} is not in the catalog`, { asset });
}

export function listingNotFound(listing: string): Rejection {
  return rejection('listing_not_found', `listing ${listing} is not in the catalog`, { listing });
}

export function insufficientBalance(need: {
  account: string;
  asset: string;
  required: number;
  available: number;
}): Rejection {
  const { account, asset, required, available } = need;
  return rejection('insufficient_balance', `account ${account} has ${available} of ${required} ${asset}`, {
    ...need,
  });
}

export function outOfStock(want: { listing: string; required: number; remaining: number }): Rejection {
  const { listing, required, remaining } = want;
  return rejection('out_of_stock', `listing ${listing} has ${remaining} of ${required} left`, { ...want });
}

export function purchaseLimitReached(limit: {
  account: string;
  listing: string;
  limit: number;
  purchased: number;
  resetsAt: string | null;
}): Rejection {
  const when = limit.resetsAt === null ? '' : ` until ${limit.resetsAt}`;
  return rejection(
    'purchase_limit_reached',
    `account ${limit.account} has bought ${limit.purchased} of at most ${limit.limit} of listing ${limit.listing}${when}`,
    { ...limit },
  );
}

export function priceChanged(listing: string, price: readonly AssetQuantity[]): Rejection {
  return rejection('price_changed', `listing ${listing} does not have the expected price`, {
    listing,
    price: price.map(({ asset, quantity }) => ({ asset, quantity })),
  });
}

export function listingClosed(
  listing: string,
  window: { opensAt: string | null; closesAt: string | null },
): Rejection {
  return rejection('listing_closed', `listing ${listing} is not on sale now`, { listing, ...window });
}

export function capacityExceeded(need: { account: string; capacity: number; required: number }): Rejection {
  const { account, capacity, required } = need;
  return rejection(
    'capacity_exceeded',
    `account ${account} would hold ${required} stacks of items, and has room for ${capacity}`,
    {
      ...need,
    },
  );
}

export function stackLimitExceeded(need: {
  account: string;
  asset: string;
  stackLimit: number;
  required: number;
}): Rejection {
  const { account, asset, stackLimit, required } = need;
  return rejection(
    'stack_limit_exceeded',
    `account ${account} would hold ${required} ${asset}, and may hold ${stackLimit}`,
    {
      ...need,
    },
  );
}

/** `what` names the quantity that would pass the largest one, such as "the holding of gold". */
export function quantityOverflow(what: string, members: JsonObject = {}): Rejection {
  return rejection('quantity_overflow', `${what} would pass ${quantityMax}`, members);
}

export function notTradable(asset: string): Rejection {
  return rejection('not_tradable', `asset ${asset} may not pass between accounts`, { asset });
}

export function notSellable(asset: string): Rejection {
  return rejection('not_sellable', `asset ${asset} has no sell price`, { asset });
}

export function sameAccount(account: string): Rejection {
  return rejection('same_account', `account ${account} is on both sides`, { account });
}

export function catalogConflict(detail: string, members: JsonObject): Rejection {
  return rejection('catalog_conflict', detail, members);
}

/** Nothing is wrong: a rule gives no reward, or no more of them on that day. No caller is ever answered with it. */
export function rewardNotEarned(detail: string, members: JsonObject): Rejection {
  return rejection('reward_not_earned', detail, members);
}

export function versionMismatch(account: string, expected: number, version: number): Rejection {
  return rejection('version_mismatch', `account ${account} is at version ${version}, not ${expected}`, {
    account,
    expected,
    version,
  });
}

export function idempotencyKeyReused(idempotencyKey: string): Rejection {
  return rejection(
    'idempotency_key_reused',
    'the idempotency key was used for another method, path or body; a new request needs a new key',
    { idempotencyKey },
  );
}
