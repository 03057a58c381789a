import type { Account } from '../domain/account.ts';
import type { Asset, AssetKind } from '../domain/asset.ts';
import type { Catalog } from '../domain/catalog.ts';
import type { HoldingKey, PurchaseKey } from '../domain/command.ts';
import type { Holding } from '../domain/holding.ts';
import type { JsonObject } from '../domain/json.ts';
import type { LedgerRows } from '../domain/ledger.ts';
import type { Listing, PurchaseCount } from '../domain/listing.ts';
import type { Entry } from '../domain/operation.ts';
import type { RewardRule } from '../domain/reward-rule.ts';
import type { Stock, StockLine } from '../domain/stock.ts';

/**
 * All that is kept. It reads, and it runs transactions; a `Tx` is the only way to write. Every read answers from
 * one snapshot of committed data and waits for nobody's locks.
 *
 * What goes wrong is told by the errors of `errors.ts`, whichever implementation is behind it.
 */
export interface Repository extends Reads {
  /**
   * Runs `work` in a transaction of its own: either everything it saved is kept, durably, before this resolves, or
   * nothing is. A throw from `work` rolls back and is passed on. Throws `OutcomeUnknownError` where the commit was
   * sent and its answer was lost: only running the same work again, under its locks, can tell.
   */
  transaction<Result>(work: (tx: Tx) => Promise<Result>, options?: TransactionOptions): Promise<Result>;
}

export interface TransactionOptions {
  /** How long a statement waits for one account's lock before `LockTimeoutError`. Default: as long as for any other row. */
  readonly accountWaitMs?: number;
}

/** Reads that lock nothing. */
export interface Reads {
  /** The whole catalog, version and content from one snapshot. */
  catalog(): Promise<Catalog>;
  asset(id: string): Promise<Asset | undefined>;
  /** In the order of ids, beginning after `after`. */
  assets(page: Page): Promise<readonly Asset[]>;
  listing(id: string): Promise<ListingOnSale | undefined>;
  /** In the order of ids, beginning after `after`. */
  listings(page: Page): Promise<readonly ListingOnSale[]>;
  rewardRule(id: string): Promise<RewardRule | undefined>;
  /** In the order of ids, beginning after `after`. */
  rewardRules(page: Page): Promise<readonly RewardRule[]>;
  /** All that are enabled, in any order. */
  enabledRewardRules(): Promise<readonly RewardRule[]>;
  account(id: string): Promise<AccountProfile | undefined>;
  /** What an account holds above zero, in the order of assets; undefined: there is no such account. */
  inventory(account: string, query: InventoryQuery): Promise<Inventory | undefined>;
  /** An account's history, newest first; undefined: there is no such account. */
  entries(account: string, query: EntriesQuery): Promise<readonly EntryRecord[] | undefined>;
  /** The receipt of an operation, word for word, and whose it is. */
  operation(id: string): Promise<StoredReceipt | undefined>;
  /**
   * Operations after a position, in the order in which they took effect: each one up to where nothing that began
   * earlier can still appear, so a reader that goes on from the last position misses nothing and sees nothing twice.
   * `end`: one that `feedEnd` gave, to read no further; without it, what is the end now.
   */
  feed(after: number, limit: number, end?: number): Promise<readonly FeedItem[]>;
  /**
   * Up to where the feed is complete now: no operation can appear at this position or before it any more, and whoever
   * reads after this sees all that are there. It may be beyond the last operation, because numbers are given up.
   */
  feedEnd(): Promise<number>;
  /** Resolves when the database answers. */
  ping(): Promise<void>;
}

/**
 * One transaction. Its calls take effect in the order in which they are made, whether or not the one before has been
 * awaited, so that they may be made together and travel together: await them with `Promise.all`. After one has
 * failed, the others fail too, and nothing is kept.
 *
 * Lock order is global: accounts, then stock, each by id in byte order. Lock first, then read: a read that is made
 * after a lock sees everything that was committed before the lock was granted.
 */
export interface Tx {
  /** Makes sure that these accounts have a row to lock. To be called before any lock is taken. */
  ensureAccounts(ids: readonly string[]): Promise<void>;
  /**
   * Locks these accounts against everyone else until the end, one by one in the order of their ids, and reads them.
   * One that does not exist locks nothing and is missing from the answer.
   */
  lockAccounts(ids: readonly string[]): Promise<readonly Account[]>;
  /** The same, but passes over the accounts that someone else has locked, and names them. Waits for nobody. */
  lockFreeAccounts(
    ids: readonly string[],
  ): Promise<{ accounts: readonly Account[]; taken: readonly string[] }>;
  /** Locks the stock of these listings against everyone else until the end, in the order of their ids, and reads it. */
  lockStock(listings: readonly string[]): Promise<readonly Stock[]>;
  /** The same, but passes over the stock that someone else has locked, and names it. Waits for nobody. */
  lockFreeStock(listings: readonly string[]): Promise<{ stock: readonly Stock[]; taken: readonly string[] }>;
  /** Locks the catalog against other changes of it until the end, and reads it. To be called before any other lock. */
  lockCatalog(): Promise<Catalog>;

  /** What was recorded under these keys. Reads what the lock of each key's home guards. */
  recorded(keys: readonly IdempotencyKey[]): Promise<readonly RecordedKey[]>;
  /** Reads what the locks of their accounts guard. */
  holdings(keys: readonly HoldingKey[]): Promise<readonly Holding[]>;
  /** Reads what the locks of their accounts guard. */
  purchaseCounts(keys: readonly PurchaseKey[]): Promise<readonly PurchaseCount[]>;
  /** The catalog's version and the database's clock, at the moment of the call. To be called last, when every lock is held. */
  now(): Promise<{ catalogVersion: number; nowMs: number }>;
  /** The last position that was given out, at the moment of the call: whatever begins later comes after it in the feed. */
  lastPosition(): Promise<number>;

  /**
   * Sets down what is to be kept. It is sent with the commit, in one go, and what is wrong with it makes the
   * transaction fail. The rows must be locked by this transaction; operations are numbered in the order given.
   */
  save(changes: Changes): void;
}

/** What a transaction keeps. */
export interface Changes extends Partial<LedgerRows> {
  readonly operations?: readonly OperationRecord[];
  /** Creates or replaces what clients set of an account; leaves its version and what it owns alone. */
  readonly profiles?: readonly Omit<AccountProfile, 'version'>[];
  /** A changed catalog gets the next version: the catalog must be locked by this transaction. */
  readonly assets?: readonly Asset[];
  readonly listings?: readonly Listing[];
  readonly rewardRules?: readonly RewardRule[];
}

/** An operation with everything that is kept of it. */
export interface OperationRecord {
  readonly id: string;
  /** The account it belongs to, or the home of its listing. */
  readonly home: string;
  readonly type: string;
  readonly atMs: number;
  readonly actor: string;
  readonly idempotencyKey: string;
  readonly requestHash: string;
  /** JSON, kept word for word. */
  readonly receipt: string;
  readonly entries: readonly (Entry & { readonly version: number })[];
  readonly stock: readonly StockLine[];
}

/** An idempotency key in its scope. */
export interface IdempotencyKey {
  readonly home: string;
  readonly actor: string;
  readonly key: string;
}

export interface RecordedKey extends IdempotencyKey {
  readonly operation: string;
  readonly requestHash: string;
  readonly receipt: string;
}

export interface Page {
  readonly after: string | null;
  readonly limit: number;
}

/** A listing with its stock, refills that are due counted in; null: unlimited. */
export interface ListingOnSale extends Listing {
  readonly stock: { readonly offered: number; readonly remaining: number } | null;
}

export interface AccountProfile {
  readonly id: string;
  readonly version: number;
  readonly capacity: number | null;
  readonly properties: JsonObject;
}

export interface InventoryQuery extends Page {
  readonly kind?: AssetKind | undefined;
  readonly tag?: string | undefined;
  readonly asset?: string | undefined;
}

export interface Inventory {
  readonly version: number;
  readonly holdings: readonly HeldAsset[];
}

export interface HeldAsset extends Omit<Holding, 'account'> {
  readonly kind: AssetKind;
  /** Of an asset that has levels. */
  readonly level?: number;
}

export interface EntriesQuery {
  readonly asset?: string | undefined;
  /** Where the page before ended. */
  readonly before: { readonly version: number; readonly asset: string } | null;
  readonly limit: number;
}

export interface EntryRecord {
  readonly operation: string;
  readonly type: string;
  readonly atMs: number;
  readonly version: number;
  readonly asset: string;
  readonly delta: number;
  readonly balance: number;
}

export interface StoredReceipt {
  readonly home: string;
  readonly receipt: string;
}

export interface FeedItem {
  readonly position: number;
  readonly receipt: string;
}
