import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import type { Catalog } from '../../domain/catalog.ts';
import type { ApiKeys } from '../api-keys.ts';
import type { Audit } from '../audit.ts';
import type { ConsumerCursors } from '../consumers.ts';
import { UnavailableError } from '../errors.ts';
import type { IdempotencyKeys } from '../idempotency-keys.ts';
import type { JobOwners, JobRemains } from '../jobs.ts';
import type { Repository, TransactionOptions, Tx } from '../repository.ts';
import type { VerificationRecords } from '../verifications.ts';
import type { WebhookDeliveries } from '../webhook-deliveries.ts';
import type { WebhookQueue } from '../webhook-queue.ts';
import type { Webhooks } from '../webhooks.ts';
import { PostgresApiKeys } from './api-keys.ts';
import { PostgresAudit } from './audit.ts';
import { catalogOf } from './catalog-rows.ts';
import { PostgresConsumerCursors } from './consumers.ts';
import type { DB } from './database-types.ts';
import { translated } from './errors.ts';
import { PostgresIdempotencyKeys } from './idempotency-keys.ts';
import { PostgresJobOwners } from './job-owners.ts';
import { PostgresJobRemains } from './job-remains.ts';
import type { Pipeline } from './pipeline.ts';
import { PostgresReads } from './reads.ts';
import { checkServer, type ServerCheckLog } from './server-check.ts';
import { isPooled } from './server-link.ts';
import { catalog } from './statements.ts';
import { PostgresTx, type TransactionSettings } from './transaction.ts';
import { PostgresVerificationRecords } from './verifications.ts';
import { PostgresWebhookDeliveries } from './webhook-deliveries.ts';
import { PostgresWebhookQueue } from './webhook-queue.ts';
import { PostgresWebhooks } from './webhooks.ts';

export interface PostgresSettings extends TransactionSettings {
  readonly connectionString: string;
  readonly applicationName: string;
  /** Connections for transactions, and apart from them for reads: neither can starve the other. */
  readonly maxTransactionConnections: number;
  readonly maxReadConnections: number;
  /** For background work, which may hold one for as long as a turn takes; opened when they are first used. */
  readonly maxBackgroundConnections: number;
  /** Where those go: past any pooler, since some need a session of their own. */
  readonly backgroundConnectionString: string;
  /** How long to wait for a free or a new connection. */
  readonly acquireTimeoutMs: number;
  readonly idleConnectionMs: number;
  readonly connectionLifetimeMs: number;
  /** A transaction that has no end by then is cut off: the server may be out of reach without the socket knowing. */
  readonly transactionTimeoutMs: number;
}

/** How a pool of connections is used. */
export interface PoolFigures {
  readonly open: number;
  readonly inUse: number;
  /** Those who wait for a connection. */
  readonly waiting: number;
  readonly max: number;
}

interface Pools {
  readonly transactions: pg.Pool;
  readonly reads: pg.Pool;
  readonly background: pg.Pool;
}

/** The repository on PostgreSQL 15 or later: pipelined transactions on one pool, reads on another, background work on a third. */
export class PostgresRepository extends PostgresReads implements Repository {
  readonly #settings: PostgresSettings;
  readonly #pool: pg.Pool;
  readonly #reads: pg.Pool;
  /** The connections for background work, for those who bring statements of their own. */
  readonly background: pg.Pool;
  readonly #db: Kysely<DB>;
  /** On one connection of those for reads, and between two snapshots on none. */
  readonly audit: Audit;
  readonly verifications: VerificationRecords;
  readonly apiKeys: ApiKeys;
  /** On a connection of those for background work. */
  readonly consumers: ConsumerCursors;
  readonly jobOwners: JobOwners;
  readonly jobRemains: JobRemains;
  readonly webhooks: Webhooks;
  readonly webhookDeliveries: WebhookDeliveries;
  /** On a connection of those for background work. */
  readonly webhookQueue: WebhookQueue;
  readonly idempotencyKeys: IdempotencyKeys;

  static open(settings: PostgresSettings, onConnectionError: (error: Error) => void): PostgresRepository {
    const common = {
      connectionString: settings.connectionString,
      application_name: settings.applicationName,
      connectionTimeoutMillis: settings.acquireTimeoutMs,
      idleTimeoutMillis: settings.idleConnectionMs,
      maxLifetimeSeconds: Math.ceil(settings.connectionLifetimeMs / 1000),
      keepAlive: true,
      types,
    };
    const transactions = new pg.Pool({ ...common, max: settings.maxTransactionConnections, pipeline: true });
    const reads = new pg.Pool({
      ...common,
      max: settings.maxReadConnections,
      query_timeout: settings.statementTimeoutMs,
      // Not to send several at once: only so does `pg` close a connection whose query has run out of time. Otherwise it
      // goes back into the pool, and every later query on it waits behind the one that nobody answers.
      pipeline: true,
    });
    const background = new pg.Pool({
      ...common,
      connectionString: settings.backgroundConnectionString,
      max: settings.maxBackgroundConnections,
      pipeline: true,
    });
    for (const pool of [transactions, reads, background]) {
      pool.on('error', onConnectionError);
      // A connection that is lost while it is in use fails its statements; without a listener it would also crash us.
      pool.on('connect', (client) => client.on('error', onConnectionError));
    }
    return new PostgresRepository(settings, { transactions, reads, background });
  }

  private constructor(settings: PostgresSettings, pools: Pools) {
    const { transactions, reads, background } = pools;
    const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool: reads }) });
    super(db);
    this.#settings = settings;
    this.#pool = transactions;
    this.#reads = reads;
    this.background = background;
    this.#db = db;
    this.audit = new PostgresAudit(reads, settings);
    this.verifications = new PostgresVerificationRecords(db);
    this.apiKeys = new PostgresApiKeys(db);
    this.jobOwners = new PostgresJobOwners({ pool: background, reads });
    this.jobRemains = new PostgresJobRemains(background);
    this.idempotencyKeys = new PostgresIdempotencyKeys(background);
    this.consumers = new PostgresConsumerCursors(background, db, settings);
    this.webhooks = new PostgresWebhooks(db);
    this.webhookDeliveries = new PostgresWebhookDeliveries(db);
    this.webhookQueue = new PostgresWebhookQueue(
      new Kysely<DB>({ dialect: new PostgresDialect({ pool: background }) }),
    );
  }

  async transaction<Result>(
    work: (tx: Tx) => Promise<Result>,
    options: TransactionOptions = {},
  ): Promise<Result> {
    const client = await this.#acquire();
    const deadline = setTimeout(
      () => client.connection.stream.destroy(),
      this.#settings.transactionTimeoutMs,
    );
    let fit = false;
    try {
      const tx = new PostgresTx({
        client,
        settings: this.#settings,
        accountWaitMs: options.accountWaitMs,
        loadCatalog,
      });
      try {
        const result = await work(tx);
        await tx.commit();
        fit = true;
        return result;
      } catch (error) {
        fit = await tx.rollback().then(
          () => true,
          () => false,
        );
        throw error;
      }
    } finally {
      clearTimeout(deadline);
      client.release(!fit);
    }
  }

  /** What the pools hold now. */
  get connections(): Readonly<Record<keyof Pools, PoolFigures>> {
    return {
      transactions: figuresOf(this.#pool),
      reads: figuresOf(this.#reads),
      background: figuresOf(this.background),
    };
  }

  /** Throws an `UnfitServerError` where this version can't serve from the database, `UnavailableError` where there is none. */
  async checkServer(log: ServerCheckLog): Promise<void> {
    await translated(async () => {
      await checkServer(this.#db, log);
    });
  }

  /**
   * Warns where the connections for background work go through a pooler, which may not give each a session of its own. Where
   * there is no way to the server now, nothing is said: callers are served all the same, and background work waits for it.
   */
  async checkBackgroundSessions(log: Pick<ServerCheckLog, 'warn'>): Promise<void> {
    const pooled = await translated(async () => {
      const client = await this.background.connect();
      try {
        return await isPooled(client);
      } finally {
        client.release();
      }
    }).catch((error: unknown) => {
      if (error instanceof UnavailableError) return false;
      throw error;
    });
    if (pooled)
      log.warn(
        { setting: 'DATABASE_DIRECT_URL' },
        'background work reaches PostgreSQL through a pooler: unless that pools whole sessions, jobs come late or twice, and ' +
          'what background work leaves in a session is found by others. Set DATABASE_DIRECT_URL past it, or BACKGROUND_WORK=false',
      );
  }

  /** Waits for the connections in use to be given back, and closes them all. */
  async close(): Promise<void> {
    // Kysely would end its pool only if it had ever used it, and others read on it as well.
    await Promise.all([this.#pool.end(), this.#reads.end(), this.background.end()]);
  }

  async #acquire(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      throw new UnavailableError('no connection to the database could be had', { cause: error });
    }
  }
}

function figuresOf(pool: pg.Pool): PoolFigures {
  const { totalCount, idleCount, waitingCount, options } = pool;
  return { open: totalCount, inUse: totalCount - idleCount, waiting: waitingCount, max: options.max };
}

async function loadCatalog(pipeline: Pipeline): Promise<Catalog> {
  return catalogOf(await pipeline.send(catalog));
}

/** Quantities and versions stay within what a JSON number can hold, so bigints are read as numbers. */
const types = new pg.TypeOverrides();
types.setTypeParser(pg.types.builtins.INT8, Number);
