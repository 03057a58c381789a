import type { Account } from '../../domain/account.ts';
import type { Catalog } from '../../domain/catalog.ts';
import type { HoldingKey, PurchaseKey } from '../../domain/command.ts';
import type { Holding } from '../../domain/holding.ts';
import { compareIdentifiers } from '../../domain/identifier.ts';
import type { PurchaseCount } from '../../domain/listing.ts';
import type { Stock } from '../../domain/stock.ts';
import type { Changes, IdempotencyKey, RecordedKey, Tx } from '../repository.ts';
import { Draft } from './draft.ts';
import type { LockOwner, Patience } from './lock-table.ts';
import type { MemoryDatabase } from './memory-database.ts';
import { catalogOf, catalogVersionOf } from './reads.ts';
import { requireLocks } from './required-locks.ts';
import * as rows from './row-names.ts';
import { ensuredAccount, rowKey, type AccountRow } from './tables.ts';

/**
 * One transaction. Its calls run one after another, as on a connection; what it writes is gathered when it commits, and
 * published in one step.
 */
export class MemoryTx implements Tx {
  readonly #database: MemoryDatabase;
  readonly #owner: LockOwner;
  readonly #forAccounts: Patience;
  readonly #forStock: Patience;
  readonly #forCatalog: Patience;
  /** Accounts that it has inserted: their rows are locked by it, and nobody else can see them. */
  readonly #inserted = new Set<string>();
  readonly #changes: Changes[] = [];
  #lastCall: Promise<unknown> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;
  #ended = false;

  constructor(transaction: {
    database: MemoryDatabase;
    name: string;
    lockTimeoutMs: number;
    accountWaitMs: number;
  }) {
    const { database, name, lockTimeoutMs, accountWaitMs } = transaction;
    this.#database = database;
    this.#owner = { name };
    this.#forAccounts = { waitMs: accountWaitMs, rows: 'accounts' };
    this.#forStock = { waitMs: lockTimeoutMs, rows: 'stock' };
    this.#forCatalog = { waitMs: lockTimeoutMs, rows: 'other' };
  }

  /** Makes everything that was saved visible, all at once, unless a call has failed or a constraint is broken. */
  async commit(): Promise<void> {
    await this.#lastCall;
    if (this.#failure !== undefined) throw this.#failure.error;
    const { tables, positions, pause } = this.#database;
    for (const changes of this.#changes) requireLocks(this.#database, this.#owner, changes);
    if (this.#changes.some(({ operations = [] }) => operations.length > 0)) positions.announce(this);
    const numbers = this.#changes.flatMap(({ operations = [] }) => operations.map(() => positions.next()));
    await pause('commit', this.#owner.name);
    const draft = new Draft(tables);
    for (const id of this.#inserted) draft.ensureAccount(id);
    for (const changes of this.#changes) draft.save(changes, () => numbers.shift() ?? positions.next());
    draft.publish();
  }

  /** Waits for the calls under way, and gives up the locks and what was not committed. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#lastCall;
    this.#database.locks.releaseAll(this.#owner);
    this.#database.positions.end(this);
  }

  ensureAccounts(ids: readonly string[]): Promise<void> {
    return this.#call(async () => {
      for (const id of inOrder(ids)) await this.#ensureAccount(id);
    });
  }

  lockAccounts(ids: readonly string[]): Promise<readonly Account[]> {
    return this.#call(async () => {
      const there = inOrder(ids).filter((id) => this.#account(id) !== undefined);
      for (const id of there) await this.#lock(rows.account(id), this.#forAccounts);
      return this.#accounts(there);
    });
  }

  lockFreeAccounts(
    ids: readonly string[],
  ): Promise<{ accounts: readonly Account[]; taken: readonly string[] }> {
    return this.#call(() => {
      const there = inOrder(ids).filter((id) => this.#account(id) !== undefined);
      const taken = there.filter((id) => !this.#tryLock(rows.account(id)));
      return { accounts: this.#accounts(there.filter((id) => !taken.includes(id))), taken };
    });
  }

  lockStock(listings: readonly string[]): Promise<readonly Stock[]> {
    return this.#call(async () => {
      const there = inOrder(listings).filter((id) => this.#stock(id) !== undefined);
      for (const id of there) await this.#lock(rows.stock(id), this.#forStock);
      return there.map((id) => this.#stock(id)).filter((row) => row !== undefined);
    });
  }

  lockFreeStock(listings: readonly string[]): Promise<{ stock: readonly Stock[]; taken: readonly string[] }> {
    return this.#call(() => {
      const there = inOrder(listings).filter((id) => this.#stock(id) !== undefined);
      const taken = there.filter((id) => !this.#tryLock(rows.stock(id)));
      const free = there.filter((id) => !taken.includes(id));
      return { stock: free.map((id) => this.#stock(id)).filter((row) => row !== undefined), taken };
    });
  }

  lockCatalog(): Promise<Catalog> {
    return this.#call(async () => {
      await this.#lock(rows.catalog, this.#forCatalog);
      return catalogOf(this.#database);
    });
  }

  recorded(keys: readonly IdempotencyKey[]): Promise<readonly RecordedKey[]> {
    return this.#call(() =>
      keys.flatMap(({ home, actor, key }) => {
        const found = this.#database.tables.keys.get(rowKey(home, actor, key));
        if (found === undefined) return [];
        const { id: operation, requestHash, receipt } = found;
        return [{ home, actor, key, operation, requestHash, receipt }];
      }),
    );
  }

  holdings(keys: readonly HoldingKey[]): Promise<readonly Holding[]> {
    return this.#call(() =>
      keys
        .map(({ account, asset }) => this.#database.tables.holdings.get(rowKey(account, asset)))
        .filter((row) => row !== undefined),
    );
  }

  purchaseCounts(keys: readonly PurchaseKey[]): Promise<readonly PurchaseCount[]> {
    return this.#call(() =>
      keys
        .map(({ account, listing }) => this.#database.tables.purchases.get(rowKey(account, listing)))
        .filter((row) => row !== undefined),
    );
  }

  now(): Promise<{ catalogVersion: number; nowMs: number }> {
    return this.#call(() => ({
      catalogVersion: catalogVersionOf(this.#database.tables),
      nowMs: this.#database.nowMs(),
    }));
  }

  lastPosition(): Promise<number> {
    return this.#call(() => this.#database.positions.last);
  }

  save(changes: Changes): void {
    if (this.#ended) throw new Error('the transaction has ended');
    this.#changes.push(changes);
  }

  /** Runs a call after those before it. Once one has failed, the others fail with the same error. */
  #call<Result>(work: () => Result | Promise<Result>): Promise<Result> {
    const before = this.#lastCall;
    const call = async (): Promise<Result> => {
      if (this.#ended) throw new Error('the transaction has ended');
      await before;
      await this.#database.pause('call', this.#owner.name);
      if (this.#failure !== undefined) throw this.#failure.error;
      try {
        return await work();
      } catch (error) {
        this.#failure = { error };
        throw error;
      }
    };
    const result = call();
    this.#lastCall = result.catch(() => undefined);
    return result;
  }

  /**
   * As `INSERT … ON CONFLICT DO NOTHING`: a row that is there is left alone, locked or not; one that someone else has
   * just inserted is waited for, until it is there or was taken back.
   */
  async #ensureAccount(id: string): Promise<void> {
    const there = () => this.#database.tables.accounts.get(id) !== undefined;
    if (there() || this.#inserted.has(id)) return;
    await this.#lock(rows.account(id), this.#forAccounts);
    if (there()) this.#database.locks.release(this.#owner, rows.account(id));
    else this.#inserted.add(id);
  }

  async #lock(row: string, patience: Patience): Promise<void> {
    await this.#database.locks.acquire(this.#owner, row, patience);
  }

  #tryLock(row: string): boolean {
    return this.#database.locks.tryAcquire(this.#owner, row);
  }

  #account(id: string): AccountRow | undefined {
    return (
      this.#database.tables.accounts.get(id) ?? (this.#inserted.has(id) ? ensuredAccount(id) : undefined)
    );
  }

  #accounts(ids: readonly string[]): Account[] {
    return ids
      .map((id) => this.#account(id))
      .filter((row) => row !== undefined)
      .map(({ id, version, declared, capacity, stacks, atMs }) => ({
        id,
        version,
        declared,
        capacity,
        stacks,
        atMs,
      }));
  }

  #stock(listing: string): Stock | undefined {
    return this.#database.tables.stock.get(listing);
  }
}

function inOrder(ids: readonly string[]): string[] {
  return [...new Set(ids)].sort(compareIdentifiers);
}
