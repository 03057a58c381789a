import type { Json } from './json.ts';

/** Every way in which a ledger can be wrong, and what it means. A feature that keeps more adds what can be wrong with it here. */
export const discrepancyKinds = {
  account_missing: 'Something belongs to an account that has no row.',
  account_version: 'The version of an account is not that of its last operation.',
  account_time: 'The time of an account is not that of its last operation.',
  account_stacks: 'An account does not count as many stacks as it holds items.',
  version_gap: 'The versions of an account do not go up one by one, beginning at 1.',
  time_backwards: 'An operation on an account is dated before the one before it.',
  position_order: 'An operation on an account stands in the feed before the one before it.',
  entry_balance: 'The balance of an entry does not follow from the one before and its delta.',
  entry_without_operation: 'The operation of an entry is not on record.',
  entry_unstated: 'An entry is not stated by the receipt of its operation.',
  entry_missing: 'An entry that a receipt states is not there.',
  entry_differs: 'An entry is not what the receipt of its operation states.',
  holding_sum: 'A holding is not the sum of its entries.',
  holding_without_entries: 'A holding has no entries.',
  entries_without_holding: 'Entries have no holding.',
  holding_reserved: 'What is reserved of a holding is not what reservations and trades hold of it.',
  asset_unknown: 'The asset of a holding is not in the catalog.',
  purchase_count: 'More purchases or rewards are counted against a limit than were made.',
  bucket: 'A row is not in the bucket of its account or home.',
  receipt_malformed: 'A receipt is not what the contract says a receipt is.',
  receipt_head: 'A receipt does not say of its operation what is on record of it.',
  position_shared: 'Two operations have the same position in the feed.',
  position_range: 'The position of an operation was never given out.',
  operation_type: 'There is no such kind of operation.',
  operation_rule: 'An operation is not what its kind allows.',
  stock_malformed: 'What an operation says it did to limited stock cannot be read.',
  stock_chain: 'What an operation left of a stock does not follow from the one before and what it did.',
  stock_remaining: 'What is left of a stock is not what the last operation on it left.',
  stock_offered: 'What was offered and refilled of a stock is not what its operations added.',
  stock_sold: 'What is gone of a stock is not what was bought.',
  stock_without_history: 'A stock has no operations.',
  stock_missing: 'A stock that has operations, or whose listing is limited, has no row.',
} as const satisfies Record<string, string>;

export type DiscrepancyKind = keyof typeof discrepancyKinds;

/** Something in the ledger that is not as the rest of it says. */
export interface Discrepancy {
  readonly kind: DiscrepancyKind;
  readonly where: Place;
  readonly expected: Json;
  readonly found: Json;
  /** The same in a sentence. */
  readonly message: string;
}

/** Where in the ledger: as much of it as can be said. */
export interface Place {
  readonly account?: string;
  readonly asset?: string;
  readonly version?: number;
  readonly operation?: string;
  readonly listing?: string;
}

/** What was looked at, and how many of each there were. */
export interface VerificationCounts {
  readonly accounts: number;
  readonly holdings: number;
  readonly entries: number;
  readonly operations: number;
  readonly listings: number;
  readonly purchaseCounts: number;
}

/** What a verification found. The ledger is sound when there are no discrepancies. */
export interface VerificationResult {
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly counts: VerificationCounts;
  /** How many there are in all. Of very many, `discrepancies` holds the first ones. */
  readonly discrepancyCount: number;
  readonly discrepancies: readonly Discrepancy[];
}
