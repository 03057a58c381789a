import { accountExists, type Account } from './account.ts';
import type { Catalog } from './catalog.ts';
import type { AddStock, Change, CountPurchases, Move, RefillStock, TakeStock } from './change.ts';
import type { Footprint } from './command.ts';
import type { Holding } from './holding.ts';
import { compareIdentifiers } from './identifier.ts';
import { Layer } from './layer.ts';
import type { PurchaseCount } from './listing.ts';
import type { Entry } from './operation.ts';
import { isExact } from './quantity.ts';
import type { State } from './state.ts';
import type { Stock, StockLine } from './stock.ts';

/** Rows as they were read under their locks. What is missing does not exist. */
export interface LedgerRows {
  readonly accounts: readonly Account[];
  readonly holdings: readonly Holding[];
  readonly stock: readonly Stock[];
  readonly purchases: readonly PurchaseCount[];
}

/** What accepted changes came to: the lines of the receipt, and when they took effect. */
export interface Effect {
  readonly atMs: number;
  /** In the order account, asset; one for each holding touched, also where the sum is zero. */
  readonly entries: readonly Entry[];
  /** The accounts touched, by id, with their new versions. */
  readonly accounts: readonly Account[];
  readonly stock: readonly StockLine[];
}

/**
 * The in-memory state that a batch decides on: the locked rows, and on top of them what its commands have changed
 * so far. It is the one place where changes become rows; a change that would break an invariant throws.
 */
export class Ledger implements State {
  readonly catalog: Catalog;
  readonly #accounts: Layer<Account | undefined>;
  readonly #holdings: Layer<Holding>;
  readonly #stock: Layer<Stock | undefined>;
  readonly #purchases: Layer<PurchaseCount | undefined>;

  private constructor(catalog: Catalog, layers: Layers) {
    this.catalog = catalog;
    this.#accounts = layers.accounts;
    this.#holdings = layers.holdings;
    this.#stock = layers.stock;
    this.#purchases = layers.purchases;
  }

  /** A ledger that knows the rows of this footprint and no others. */
  static load(catalog: Catalog, footprint: Footprint, rows: LedgerRows): Ledger {
    const layers = {
      accounts: new Layer<Account | undefined>('account'),
      holdings: new Layer<Holding>('holding'),
      stock: new Layer<Stock | undefined>('stock'),
      purchases: new Layer<PurchaseCount | undefined>('purchase count'),
    };
    for (const account of footprint.accounts) layers.accounts.set(account, undefined);
    for (const row of rows.accounts) if (accountExists(row)) layers.accounts.set(row.id, row);
    for (const { account, asset } of footprint.holdings) {
      layers.holdings.set(pair(account, asset), { account, asset, quantity: 0, reserved: 0 });
    }
    for (const row of rows.holdings) layers.holdings.set(pair(row.account, row.asset), row);
    for (const listing of footprint.stock) layers.stock.set(listing, undefined);
    for (const row of rows.stock) layers.stock.set(row.listing, row);
    for (const { account, listing } of footprint.purchases)
      layers.purchases.set(pair(account, listing), undefined);
    for (const row of rows.purchases) layers.purchases.set(pair(row.account, row.listing), row);
    return new Ledger(catalog, layers).fork();
  }

  account(id: string): Account | undefined {
    return this.#accounts.get(id);
  }

  holding(account: string, asset: string): Holding {
    return this.#holdings.get(pair(account, asset));
  }

  stock(listing: string): Stock | undefined {
    return this.#stock.get(listing);
  }

  purchases(account: string, listing: string): PurchaseCount | undefined {
    return this.#purchases.get(pair(account, listing));
  }

  /** A ledger on top of this one: what is applied to it leaves this one as it is. */
  fork(): Ledger {
    return new Ledger(this.catalog, {
      accounts: new Layer('account', this.#accounts),
      holdings: new Layer('holding', this.#holdings),
      stock: new Layer('stock', this.#stock),
      purchases: new Layer('purchase count', this.#purchases),
    });
  }

  /** Hands what was applied to this fork down to the ledger it was forked from. */
  merge(): void {
    for (const layer of [this.#accounts, this.#holdings, this.#stock, this.#purchases]) layer.merge();
  }

  /** Makes the changes of one operation, all or, by throwing, none. */
  apply(changes: readonly Change[], nowMs: number): Effect {
    const { moves, stock: stockChanges, counts } = sorted(changes);
    const holdings = moves.map((move) => moved(this.holding(move.account, move.asset), move));
    const accounts = this.#touched(moves);
    const stock = stockChanges.map((change) => restocked(this.stock(change.listing), change, nowMs));
    for (const { account, listing } of counts) this.purchases(account, listing);
    const atMs = accounts.reduce((latest, account) => Math.max(latest, account.atMs ?? latest), nowMs);
    const stamped = accounts.map((account) => ({ ...account, version: account.version + 1, atMs }));

    for (const account of stamped) this.#accounts.set(account.id, account);
    for (const holding of holdings) this.#holdings.set(pair(holding.account, holding.asset), holding);
    for (const { row } of stock) this.#stock.set(row.listing, row);
    for (const { account, listing, count, sinceMs } of counts) {
      this.#purchases.set(pair(account, listing), { account, listing, count, sinceMs });
    }
    return {
      atMs,
      entries: moves.map(({ account, asset, delta }, i) => ({
        account,
        asset,
        delta,
        balance: holdings[i]?.quantity ?? 0,
      })),
      accounts: stamped,
      stock: stock.map(({ line }) => line),
    };
  }

  /** The rows changed since this ledger was loaded or forked, as they are now. */
  changed(): LedgerRows {
    return {
      accounts: this.#accounts.own().filter((row) => row !== undefined),
      holdings: this.#holdings.own(),
      stock: this.#stock.own().filter((row) => row !== undefined),
      purchases: this.#purchases.own().filter((row) => row !== undefined),
    };
  }

  /** The accounts of these moves, each once, with the stacks they will have; `moves` are in the order of accounts. */
  #touched(moves: readonly Move[]): Account[] {
    const touched: Account[] = [];
    let current: Account | undefined;
    for (const move of moves) {
      if (current?.id !== move.account) {
        if (current !== undefined) touched.push(current);
        current = this.account(move.account) ?? newAccount(move.account);
      }
      const added = stacksAdded(this, move);
      if (added !== 0) current = { ...current, stacks: current.stacks + added };
    }
    if (current !== undefined) touched.push(current);
    return touched;
  }
}

/** How many stacks of items more (or fewer: −1) the account will hold after this move. */
export function stacksAdded(state: State, { account, asset, delta }: Omit<Move, 'kind'>): number {
  if (delta === 0 || state.catalog.assets.get(asset)?.kind !== 'item') return 0;
  const { quantity } = state.holding(account, asset);
  return Number(quantity + delta > 0) - Number(quantity > 0);
}

/** An account before its first operation. */
export function newAccount(id: string): Account {
  return { id, version: 0, declared: false, capacity: null, stacks: 0, atMs: null };
}

/**
 * Adds up moves of the same holding: each holding has one move then, in the order account, asset. A sum that is no
 * longer exact on the way stays out of range (Infinity), so it can't come back rounded.
 */
export function sumMoves(moves: readonly Omit<Move, 'kind'>[]): Move[] {
  const sums = new Map<string, Move>();
  for (const { account, asset, delta } of moves) {
    const key = pair(account, asset);
    const before = sums.get(key);
    const sum = (before?.delta ?? 0) + delta;
    sums.set(key, { kind: 'move', account, asset, delta: isExact(sum) ? sum : Infinity });
  }
  return [...sums.values()].sort(
    (a, b) => compareIdentifiers(a.account, b.account) || compareIdentifiers(a.asset, b.asset),
  );
}

interface Layers {
  readonly accounts: Layer<Account | undefined>;
  readonly holdings: Layer<Holding>;
  readonly stock: Layer<Stock | undefined>;
  readonly purchases: Layer<PurchaseCount | undefined>;
}

/** Identifiers hold no space, so a pair of them is one key. */
function pair(first: string, second: string): string {
  return `${first} ${second}`;
}

function sorted(changes: readonly Change[]): {
  moves: Move[];
  stock: StockChange[];
  counts: CountPurchases[];
} {
  const moves: Move[] = [];
  const stock = new Map<string, StockChange>();
  const counts: CountPurchases[] = [];
  for (const change of changes) {
    switch (change.kind) {
      case 'move':
        moves.push(change);
        break;
      case 'take-stock':
      case 'add-stock':
      case 'refill-stock':
        stock.set(change.listing, withChange(stock.get(change.listing), change));
        break;
      case 'count-purchases':
        counts.push(change);
        break;
    }
  }
  return { moves: sumMoves(moves), stock: [...stock.values()], counts };
}

/** All that one operation does to one stock. */
interface StockChange {
  readonly listing: string;
  readonly offered: number;
  readonly refilled: number;
  readonly taken: number;
  readonly refilledAtMs: number | undefined;
}

function withChange(
  before: StockChange | undefined,
  change: TakeStock | AddStock | RefillStock,
): StockChange {
  const { listing } = change;
  const sum = before ?? { listing, offered: 0, refilled: 0, taken: 0, refilledAtMs: undefined };
  switch (change.kind) {
    case 'take-stock':
      return { ...sum, taken: sum.taken + change.quantity };
    case 'add-stock':
      return { ...sum, offered: sum.offered + change.quantity };
    case 'refill-stock':
      return { ...sum, refilled: sum.refilled + change.quantity, refilledAtMs: change.refilledAtMs };
  }
}

function moved(holding: Holding, move: Move): Holding {
  const quantity = holding.quantity + move.delta;
  if (!isExact(quantity) || quantity < holding.reserved) {
    throw new Error(`a move of ${move.delta} would leave ${move.account} with ${quantity} ${move.asset}`);
  }
  return { ...holding, quantity };
}

function restocked(
  before: Stock | undefined,
  change: StockChange,
  nowMs: number,
): { row: Stock; line: StockLine } {
  const { listing, taken } = change;
  const stock = before ?? { listing, offered: 0, refilled: 0, remaining: 0, refilledAtMs: nowMs };
  const added = change.offered + change.refilled;
  const row = {
    listing,
    offered: stock.offered + change.offered,
    refilled: stock.refilled + change.refilled,
    remaining: stock.remaining + added - taken,
    refilledAtMs: change.refilledAtMs ?? stock.refilledAtMs,
  };
  const counts = [row.offered, row.refilled, row.remaining, taken];
  if (!counts.every((count) => isExact(count) && count >= 0) || row.remaining > row.offered + row.refilled) {
    throw new Error(`adding ${added} and taking ${taken} would leave ${row.remaining} of listing ${listing}`);
  }
  return { row, line: { listing, added, taken, remaining: row.remaining } };
}
