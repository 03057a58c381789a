import type pg from 'pg';
import type { Stock } from '../../domain/stock.ts';
import type {
  AccountKey,
  AccountVersion,
  Audit,
  AuditedAccount,
  AuditedEntry,
  AuditedHolding,
  AuditedListing,
  AuditedOperation,
  AuditedPurchaseCount,
  AuditedStockLines,
  EntryKey,
  HoldingRowKey,
  OperationKey,
  OperationReceipt,
  PurchaseCountKey,
  Snapshot,
} from '../audit.ts';
import { RepositoryError, UnavailableError } from '../errors.ts';
import * as statements from './audit-statements.ts';
import { translated } from './errors.ts';
import { feedHorizon } from './horizon.ts';

/** The audit on PostgreSQL: each snapshot is a short read-only transaction at REPEATABLE READ. */
export class PostgresAudit implements Audit {
  readonly #pool: pg.Pool;
  readonly #timeouts: statements.AuditTimeouts;

  /** `pool` must read bigints as numbers. Of its connections one is used at a time, and given back between snapshots. */
  constructor(pool: pg.Pool, timeouts: statements.AuditTimeouts) {
    this.#pool = pool;
    this.#timeouts = timeouts;
  }

  async snapshot<Result>(
    work: (snapshot: Snapshot) => Promise<Result>,
    signal: AbortSignal,
  ): Promise<Result> {
    return await this.#connected(async (client) => {
      signal.throwIfAborted();
      await answerOf(
        client,
        `begin isolation level repeatable read read only;${statements.settings(this.#timeouts)}`,
      );
      const result = await work(new PostgresSnapshot(client, signal));
      await answerOf(client, 'commit');
      return result;
    });
  }

  async horizon(): Promise<number> {
    return await this.#connected(async (client) => {
      const [server] = await answerOf<{ standby: boolean }>(client, statements.isStandby);
      if (server?.standby !== false)
        throw new RepositoryError(
          'this is a standby: it does not know which transactions are under way; use the primary',
        );
      return await feedHorizon(async (statement) => await answerOf(client, statement));
    });
  }

  async estimatedEntries(): Promise<number> {
    return await this.#connected(async (client) => {
      const [estimate] = await answerOf<{ count: number }>(client, statements.estimatedEntries);
      return estimate?.count ?? 0;
    });
  }

  /** A connection on which something failed may be in the middle of anything, and is not used again. */
  async #connected<Result>(work: (client: pg.PoolClient) => Promise<Result>): Promise<Result> {
    const client = await this.#acquire();
    let fit = false;
    try {
      const result = await work(client);
      fit = true;
      return result;
    } finally {
      client.release(!fit);
    }
  }

  async #acquire(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      throw new UnavailableError('no connection to the database could be had', { cause: error });
    }
  }
}

class PostgresSnapshot implements Snapshot {
  readonly #client: pg.PoolClient;
  readonly #signal: AbortSignal;

  constructor(client: pg.PoolClient, signal: AbortSignal) {
    this.#client = client;
    this.#signal = signal;
  }

  async operations(
    { position, id, bucket }: OperationKey,
    through: number | null,
    limit: number,
  ): Promise<readonly AuditedOperation[]> {
    return await this.#read(statements.operations, [position, id, bucket, through, limit]);
  }

  async stockLines(
    { position, id, bucket }: OperationKey,
    through: number | null,
    limit: number,
  ): Promise<readonly AuditedStockLines[]> {
    return await this.#read(statements.stockLines, [position, id, bucket, through, limit]);
  }

  async operationsById(ids: readonly string[]): Promise<readonly OperationReceipt[]> {
    return await this.#read(statements.operationsById, [ids]);
  }

  async lastPosition(): Promise<number> {
    const [row] = await this.#read<{ position: number }>(statements.lastPosition, []);
    return row?.position ?? 0;
  }

  async entries(
    { account, version, asset, bucket }: EntryKey,
    limit: number,
  ): Promise<readonly AuditedEntry[]> {
    return await this.#read(statements.entries, [account, version, asset, bucket, limit]);
  }

  async lastVersion(account: string): Promise<number> {
    const [row] = await this.#read<{ version: number }>(statements.lastVersion, [account]);
    return row?.version ?? 0;
  }

  async entriesAt(versions: readonly AccountVersion[]): Promise<readonly AuditedEntry[]> {
    return await this.#read(statements.entriesAt, [
      versions.map(({ account }) => account),
      versions.map(({ version }) => version),
      versions.map(({ limit }) => limit),
    ]);
  }

  async accounts(
    { account, bucket }: AccountKey,
    before: string | null,
    limit: number,
  ): Promise<readonly AuditedAccount[]> {
    return await this.#read(statements.accounts, [account, bucket, before, limit]);
  }

  async holdings(
    { account, asset, bucket }: HoldingRowKey,
    before: string | null,
    limit: number,
  ): Promise<readonly AuditedHolding[]> {
    return await this.#read(statements.holdings, [account, asset, bucket, before, limit]);
  }

  async purchaseCounts(
    { account, listing, bucket }: PurchaseCountKey,
    before: string | null,
    limit: number,
  ): Promise<readonly AuditedPurchaseCount[]> {
    return await this.#read(statements.purchaseCounts, [account, listing, bucket, before, limit]);
  }

  async stock(after: string, limit: number): Promise<readonly Stock[]> {
    return await this.#read(statements.stock, [after, limit]);
  }

  async listings(after: string, limit: number): Promise<readonly AuditedListing[]> {
    return await this.#read(statements.listings, [after, limit]);
  }

  async #read<Row extends object>(text: string, values: readonly unknown[]): Promise<readonly Row[]> {
    this.#signal.throwIfAborted();
    return await answerOf<Row>(this.#client, text, values);
  }
}

/** The rows that a statement answers, whose columns are those of the row type. */
async function answerOf<Row extends object>(
  client: pg.PoolClient,
  text: string,
  values?: readonly unknown[],
): Promise<readonly Row[]> {
  return await translated(async () => {
    const { rows } = await client.query<Row>(text, values === undefined ? undefined : [...values]);
    return rows;
  });
}
