import type { PoolClient } from 'pg';
import type { Account } from '../../domain/account.ts';
import type { Catalog } from '../../domain/catalog.ts';
import type { HoldingKey, PurchaseKey } from '../../domain/command.ts';
import type { Holding } from '../../domain/holding.ts';
import { compareIdentifiers } from '../../domain/identifier.ts';
import type { PurchaseCount } from '../../domain/listing.ts';
import type { Stock } from '../../domain/stock.ts';
import { bucketOf } from '../bucket.ts';
import type { LockTimeoutError } from '../errors.ts';
import type { Changes, IdempotencyKey, RecordedKey, Tx } from '../repository.ts';
import { commit } from './commit.ts';
import { translateError } from './errors.ts';
import { Pipeline, type Row, type Value } from './pipeline.ts';
import { accountOf, numberOf, stockOf, textOf } from './rows.ts';
import { savings } from './savings.ts';
import * as statements from './statements.ts';
import type { Locks, Statement } from './statements.ts';

export interface TransactionSettings {
  /** How long a statement waits for one row's lock. */
  readonly lockTimeoutMs: number;
  readonly statementTimeoutMs: number;
  /** How long the server lets a transaction idle before it ends it: a replica that vanished must not hold locks. */
  readonly idleTimeoutMs: number;
  /** How often the server looks whether the client is still there while a statement runs or waits. */
  readonly connectionCheckMs: number;
  readonly namedStatements: boolean;
}

/**
 * A transaction in two flushes: `begin`, locks and reads travel together in the first; what was saved travels with
 * the commit in the second, and only after every statement of the first has succeeded.
 */
export class PostgresTx implements Tx {
  readonly #client: PoolClient;
  readonly #pipeline: Pipeline;
  readonly #settings: TransactionSettings;
  readonly #accountWaitMs: number;
  readonly #loadCatalog: (pipeline: Pipeline) => Promise<Catalog>;
  readonly #begun: Promise<unknown>;
  readonly #changes: Changes[] = [];
  #lockWaitMs: number;
  #lastAnswer: Promise<unknown> = Promise.resolve();
  #failure: Error | undefined;
  #ended = false;
  readonly #onLost = (error: Error): void => {
    this.#failure ??= translateError(error);
  };

  constructor(transaction: {
    client: PoolClient;
    settings: TransactionSettings;
    accountWaitMs: number | undefined;
    loadCatalog: (pipeline: Pipeline) => Promise<Catalog>;
  }) {
    const { client, settings, accountWaitMs = settings.lockTimeoutMs, loadCatalog } = transaction;
    this.#client = client;
    this.#pipeline = new Pipeline(client, { named: settings.namedStatements });
    this.#settings = settings;
    this.#accountWaitMs = accountWaitMs;
    this.#loadCatalog = loadCatalog;
    this.#lockWaitMs = accountWaitMs;
    // Lost between the flushes, it has no statement to tell it: the commit must not be sent after that.
    client.on('error', this.#onLost);
    this.#begun = this.#begin();
  }

  /** Sends what was saved with the commit. Throws `OutcomeUnknownError` if it can't tell whether that was kept. */
  async commit(): Promise<void> {
    this.#ended = true;
    await Promise.allSettled([this.#begun, this.#lastAnswer]);
    if (this.#failure !== undefined) throw this.#failure;
    try {
      await commit(this.#client, this.#pipeline, this.#changes.flatMap(savings));
    } finally {
      this.#client.off('error', this.#onLost);
    }
  }

  /** Gives up all that was done. Throws if the connection is no longer fit for use, which gives it up as well. */
  async rollback(): Promise<void> {
    this.#ended = true;
    this.#client.off('error', this.#onLost);
    await this.#begun;
    await this.#pipeline.control('rollback');
  }

  async ensureAccounts(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const inOrder = sortedIds(ids);
    await this.#send(statements.ensureAccounts, [inOrder, inOrder.map(bucketOf)], 'accounts');
  }

  async lockAccounts(ids: readonly string[]): Promise<readonly Account[]> {
    if (ids.length === 0) return [];
    const rows = await this.#lock(statements.accountLocks, ids, 'accounts', this.#accountWaitMs);
    return rows.map(accountOf);
  }

  async lockFreeAccounts(
    ids: readonly string[],
  ): Promise<{ accounts: readonly Account[]; taken: readonly string[] }> {
    if (ids.length === 0) return { accounts: [], taken: [] };
    const { locked, taken } = await this.#lockFree(statements.accountLocks, ids, 'accounts');
    return { accounts: locked.map(accountOf), taken };
  }

  async lockStock(listings: readonly string[]): Promise<readonly Stock[]> {
    if (listings.length === 0) return [];
    const rows = await this.#lock(statements.stockLocks, listings, 'stock', this.#settings.lockTimeoutMs);
    return rows.map(stockOf);
  }

  async lockFreeStock(
    listings: readonly string[],
  ): Promise<{ stock: readonly Stock[]; taken: readonly string[] }> {
    if (listings.length === 0) return { stock: [], taken: [] };
    const { locked, taken } = await this.#lockFree(statements.stockLocks, listings, 'stock');
    return { stock: locked.map(stockOf), taken };
  }

  async lockCatalog(): Promise<Catalog> {
    this.#requireOpen();
    const [, , catalog] = await Promise.all([
      this.#waitAtMost(this.#settings.lockTimeoutMs),
      this.#send(statements.lockCatalog, []),
      this.#noted(this.#loadCatalog(this.#pipeline)),
    ]);
    return catalog;
  }

  async recorded(keys: readonly IdempotencyKey[]): Promise<readonly RecordedKey[]> {
    if (keys.length === 0) return [];
    const rows = await this.#send(statements.recorded, [
      keys.map(({ home }) => home),
      keys.map(({ actor }) => actor),
      keys.map(({ key }) => key),
    ]);
    return rows.map(([home, actor, key, operation, requestHash, receipt]) => ({
      home: textOf(home),
      actor: textOf(actor),
      key: textOf(key),
      operation: textOf(operation),
      requestHash: textOf(requestHash),
      receipt: textOf(receipt),
    }));
  }

  async holdings(keys: readonly HoldingKey[]): Promise<readonly Holding[]> {
    if (keys.length === 0) return [];
    const rows = await this.#send(statements.holdings, [
      keys.map((key) => key.account),
      keys.map((key) => key.asset),
    ]);
    return rows.map(([account, asset, quantity, reserved]) => ({
      account: textOf(account),
      asset: textOf(asset),
      quantity: numberOf(quantity),
      reserved: numberOf(reserved),
    }));
  }

  async purchaseCounts(keys: readonly PurchaseKey[]): Promise<readonly PurchaseCount[]> {
    if (keys.length === 0) return [];
    const rows = await this.#send(statements.purchaseCounts, [
      keys.map((key) => key.account),
      keys.map((key) => key.listing),
    ]);
    return rows.map(([account, listing, count, sinceMs]) => ({
      account: textOf(account),
      listing: textOf(listing),
      count: numberOf(count),
      sinceMs: numberOf(sinceMs),
    }));
  }

  async now(): Promise<{ catalogVersion: number; nowMs: number }> {
    const [row] = await this.#send(statements.now, []);
    if (row === undefined) throw new Error('catalog_version has lost its row');
    return { catalogVersion: numberOf(row[0]), nowMs: numberOf(row[1]) };
  }

  async lastPosition(): Promise<number> {
    const [row] = await this.#send(statements.lastPosition, []);
    return numberOf(row?.[0]);
  }

  save(changes: Changes): void {
    this.#requireOpen();
    this.#changes.push(changes);
  }

  async #begin(): Promise<void> {
    const { statementTimeoutMs, idleTimeoutMs, connectionCheckMs } = this.#settings;
    const times = [this.#lockWaitMs, statementTimeoutMs, idleTimeoutMs, connectionCheckMs].map(
      (ms) => `${ms}ms`,
    );
    const begun = this.#noted(this.#pipeline.control('begin'));
    await Promise.allSettled([begun, this.#send(statements.settings, times)]);
  }

  async #lock(
    locks: Locks,
    keys: readonly string[],
    rows: LockTimeoutError['rows'],
    waitMs: number,
  ): Promise<readonly Row[]> {
    const [, locked] = await Promise.all([this.#waitAtMost(waitMs), this.#send(locks.all, [keys], rows)]);
    return locked;
  }

  async #lockFree(
    locks: Locks,
    keys: readonly string[],
    rows: LockTimeoutError['rows'],
  ): Promise<{ locked: readonly Row[]; taken: string[] }> {
    const [locked, there] = await Promise.all([
      this.#send(locks.free, [keys], rows),
      this.#send(locks.there, [keys]),
    ]);
    const free = new Set(locked.map(([key]) => textOf(key)));
    return { locked, taken: there.map(([key]) => textOf(key)).filter((key) => !free.has(key)) };
  }

  async #waitAtMost(waitMs: number): Promise<void> {
    if (waitMs === this.#lockWaitMs) return;
    this.#lockWaitMs = waitMs;
    await this.#send(statements.lockWait, [`${waitMs}ms`]);
  }

  #send(
    statement: Statement,
    values: readonly Value[],
    rows?: LockTimeoutError['rows'],
  ): Promise<readonly Row[]> {
    this.#requireOpen();
    return this.#noted(this.#pipeline.send(statement, values), rows);
  }

  /** The connection of a transaction that has ended is someone else's: a call that comes late would be theirs. */
  #requireOpen(): void {
    if (this.#ended) throw new Error('the transaction has ended');
  }

  #noted<Result>(sent: Promise<Result>, rows?: LockTimeoutError['rows']): Promise<Result> {
    const answer = this.#translated(sent, rows);
    this.#lastAnswer = answer;
    return answer;
  }

  /** Translates a failure, and remembers the first: it is the cause of those that follow. */
  async #translated<Result>(sent: Promise<Result>, rows?: LockTimeoutError['rows']): Promise<Result> {
    try {
      return await sent;
    } catch (error) {
      this.#failure ??= translateError(error, rows);
      throw this.#failure;
    }
  }
}

function sortedIds(ids: readonly string[]): string[] {
  return [...ids].sort(compareIdentifiers);
}
