import type { Stock } from '../domain/stock.ts';

/**
 * Reads for whoever checks the whole ledger: every row as it is kept, however wrong it may be, in the order of its key.
 *
 * Nothing here locks anything. What keeps the service fast meanwhile is that each snapshot is held for a moment only: a
 * long one keeps the old versions of hot rows alive, and slowed such a row from 9,000 to 1,450 updates/s within 12 s.
 */
export interface Audit {
  /**
   * Runs reads that all answer from one snapshot of committed data. `work` is to read a page and return; what it makes of
   * the page comes after. Throws the reason of the signal, before the next read, once that has aborted.
   */
  snapshot<Result>(work: (snapshot: Snapshot) => Promise<Result>, signal: AbortSignal): Promise<Result>;
  /**
   * A position up to which the feed is complete: every snapshot that begins after this was answered shows all operations
   * up to it that will ever be. Above it, an operation may still appear below one that is there already.
   */
  horizon(): Promise<number>;
  /** About how many entries there are; for a progress bar. */
  estimatedEntries(): Promise<number>;
}

/** Reads of one snapshot. None answers more rows than its limit. */
export interface Snapshot {
  /** Operations in the order of the feed, beginning after that one; `through` null: however high their positions are. */
  operations(
    after: OperationKey,
    through: number | null,
    limit: number,
  ): Promise<readonly AuditedOperation[]>;
  /** The same operations, but nothing of them except what they did to stock. */
  stockLines(
    after: OperationKey,
    through: number | null,
    limit: number,
  ): Promise<readonly AuditedStockLines[]>;
  /** Those of these operations that are on record, in any order. */
  operationsById(ids: readonly string[]): Promise<readonly OperationReceipt[]>;
  /** The highest position that was given out, also to operations that this snapshot does not show. */
  lastPosition(): Promise<number>;
  /** Entries in the order of accounts, of each account in the order of its versions. */
  entries(after: EntryKey, limit: number): Promise<readonly AuditedEntry[]>;
  /** The version of the last entry of an account; 0: it has none. */
  lastVersion(account: string): Promise<number>;
  /** All entries that accounts have at these versions, in any order: of each no more than its limit. */
  entriesAt(versions: readonly AccountVersion[]): Promise<readonly AuditedEntry[]>;
  /** In the order of accounts; `before` is the first account that is not wanted, null: there is none. */
  accounts(after: AccountKey, before: string | null, limit: number): Promise<readonly AuditedAccount[]>;
  holdings(after: HoldingRowKey, before: string | null, limit: number): Promise<readonly AuditedHolding[]>;
  purchaseCounts(
    after: PurchaseCountKey,
    before: string | null,
    limit: number,
  ): Promise<readonly AuditedPurchaseCount[]>;
  /** In the order of listings, beginning after that one. */
  stock(after: string, limit: number): Promise<readonly Stock[]>;
  listings(after: string, limit: number): Promise<readonly AuditedListing[]>;
}

export interface OperationKey {
  readonly position: number;
  readonly id: string;
  readonly bucket: number;
}

export interface AuditedStockLines extends OperationKey {
  /** JSON; null: it did nothing to limited stock. */
  readonly stock: string | null;
}

export interface AuditedOperation extends AuditedStockLines {
  readonly home: string;
  readonly type: string;
  readonly atMs: number;
  readonly actor: string;
  /** JSON. */
  readonly receipt: string;
}

export interface OperationReceipt {
  readonly id: string;
  readonly position: number;
  /** JSON. */
  readonly receipt: string;
}

export interface EntryKey {
  readonly account: string;
  readonly version: number;
  readonly asset: string;
  readonly bucket: number;
}

export interface AuditedEntry extends EntryKey {
  readonly operation: string;
  readonly type: string;
  readonly atMs: number;
  readonly delta: number;
  readonly balance: number;
}

export interface AccountVersion {
  readonly account: string;
  readonly version: number;
  readonly limit: number;
}

export interface AccountKey {
  readonly account: string;
  readonly bucket: number;
}

export interface AuditedAccount extends AccountKey {
  readonly version: number;
  readonly stacks: number;
  readonly atMs: number | null;
}

export interface HoldingRowKey extends AccountKey {
  readonly asset: string;
}

export interface AuditedHolding extends HoldingRowKey {
  readonly quantity: number;
  readonly reserved: number;
  /** Of the asset; null: the catalog does not have it. */
  readonly kind: string | null;
}

export interface PurchaseCountKey extends AccountKey {
  readonly listing: string;
}

export interface AuditedPurchaseCount extends PurchaseCountKey {
  readonly count: number;
  readonly sinceMs: number;
}

export interface AuditedListing {
  readonly id: string;
  readonly limited: boolean;
}

/** Comes before every bucket that a row can have. */
const beforeBuckets = -32_769;

/** Comes before every operation. */
export const feedStart: OperationKey = {
  position: -Number.MAX_SAFE_INTEGER,
  id: '00000000-0000-0000-0000-000000000000',
  bucket: beforeBuckets,
};

/** Comes before every row of this account, in each of the orders above. The empty text comes before every account. */
export function startOf(account: string): EntryKey & HoldingRowKey & PurchaseCountKey {
  return { account, version: 0, asset: '', listing: '', bucket: beforeBuckets };
}

/** The least text that comes after this one, byte by byte: PostgreSQL's text holds no zero bytes. */
export function justAfter(account: string): string {
  return `${account}\u0001`;
}
