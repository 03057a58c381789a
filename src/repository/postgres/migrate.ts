import { setTimeout as sleep } from 'node:timers/promises';
import { CompiledQuery, Kysely, PostgresDialect, sql } from 'kysely';
import {
  DEFAULT_MIGRATION_LOCK_TABLE,
  MIGRATION_LOCK_ID,
  Migrator,
  type MigrationResultSet,
} from 'kysely/migration';
import pg, { DatabaseError } from 'pg';
import { migrations as ownMigrations } from '../../../migrations/index.ts';
import type { Migration } from '../../../migrations/migration.ts';
import { installJobSchema, jobSchemaRevision } from './job-schema.ts';

/** The database lacks migrations of this code and has some that this code does not know: no version leads there. Nothing was run. */
export class UnknownMigrationsError extends Error {
  readonly names: readonly string[];

  constructor(names: readonly string[], options: ErrorOptions) {
    super(
      `The database has migrations that this version does not know (${names.join(', ')}), and lacks some that it needs. ` +
        'Nothing was run. Use the version that has migrated it, or a later one.',
      options,
    );
    this.name = 'UnknownMigrationsError';
    this.names = names;
  }
}

/** Migrating failed; `cause` is the reason. The migrations before the one that failed are done and recorded. */
export class MigrationFailedError extends Error {
  /** The migration that failed; undefined when it failed outside of any, for instance without a connection. */
  readonly migration: string | undefined;

  constructor(migration: string | undefined, options: ErrorOptions & { left?: string }) {
    const reason = options.cause instanceof Error ? options.cause.message : String(options.cause);
    super(
      migration === undefined
        ? `Migrating failed: ${reason}`
        : `Migration ${migration} failed, ${options.left ?? 'and was rolled back'}: ${reason}`,
      options,
    );
    this.name = 'MigrationFailedError';
    this.migration = migration;
  }
}

/** Where it is reported what was done; a `pino` logger is one. */
export interface MigrationLog {
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
}

export interface MigrateOptions {
  /** Of a direct connection: the lock below is the session's, and a transaction pooler would lose it. */
  readonly connectionString: string;
  readonly log?: MigrationLog;
  /** Default: the migrations of this version. */
  readonly migrations?: Readonly<Record<string, Migration>>;
  readonly lockPolicy?: MigrationLockPolicy;
}

/** How a migration deals with a table that is in use. */
export interface MigrationLockPolicy {
  /** How long it waits for a table's lock: for so long, whatever else wants that table waits behind it. */
  readonly waitMs: number;
  readonly triesMax: number;
  /** Between two tries everyone else gets through: a random time up to this. */
  readonly pauseMsMax: number;
}

const usualLockPolicy: MigrationLockPolicy = { waitMs: 1000, triesMax: 60, pauseMsMax: 5000 };

const connectMsMax = 15_000;
const inUse = 'A table that is to be changed is in use: trying again';
const jobSchemaName = `graphile_worker_${jobSchemaRevision}`;

/**
 * What holds on our one connection, whatever the role or the database has set: building an index may take long, and a
 * migrator that vanished gives up its locks.
 */
const sessionSettings = `set statement_timeout = 0; set idle_in_transaction_session_timeout = '60s'`;

/**
 * Brings the database to the schema of this version, graphile-worker's own included, and returns the names of the
 * migrations applied, in order; or throws and leaves none of them half applied. Starters that do it at once wait for each other (a session advisory
 * lock, for at most an hour), and all but the first find nothing to do.
 *
 * Each migration is a transaction. One that has to wait for a table gives up soon, lets the service through, and is
 * tried again: a lock request that queues behind a long query makes every later query of that table queue behind it.
 * One that says `outsideTransaction` is run statement by statement and without a bound on its waits: what it may wait
 * for, such as the end of older transactions, holds up nobody else.
 *
 * @throws UnknownMigrationsError, MigrationFailedError
 */
export async function migrateToLatest(options: MigrateOptions): Promise<string[]> {
  const { connectionString, log, migrations = ownMigrations, lockPolicy = usualLockPolicy } = options;
  const db = connect(connectionString);
  try {
    const applied = await db
      .connection()
      .execute((connection) =>
        underLock(connection, async () => [...(await applyAll(connection)), ...(await applyJobSchema())]),
      );
    log?.info({ applied }, applied.length === 0 ? 'Database is up to date' : 'Database migrated');
    return applied;
  } catch (error) {
    if (error instanceof MigrationFailedError || error instanceof UnknownMigrationsError) throw error;
    throw new MigrationFailedError(undefined, { cause: error });
  } finally {
    await db.destroy();
  }

  async function applyAll(connection: Kysely<unknown>): Promise<string[]> {
    const migrator = new Migrator({
      db: connection,
      provider: { getMigrations: () => Promise.resolve({ ...migrations }) },
    });
    const applied: string[] = [];
    for (;;) {
      const name = await applyNext(connection, migrator);
      if (name === undefined) return applied;
      applied.push(name);
    }
  }

  /** Another library's migrations: on a connection of their own, while this one has the lock. */
  async function applyJobSchema(): Promise<string[]> {
    const before = await patiently(jobSchemaName, () =>
      installJobSchema({ connectionString, lockTimeoutMs: lockPolicy.waitMs, connectMsMax }),
    );
    return before !== null && before >= jobSchemaRevision ? [] : [jobSchemaName];
  }

  /** Does it again when a table that it needs to itself was in use for too long. */
  async function patiently<Result>(migration: string, work: () => Promise<Result>): Promise<Result> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await work();
      } catch (error) {
        if (!isLockTimeout(error) || tries >= lockPolicy.triesMax)
          throw new MigrationFailedError(migration, { cause: error });
      }
      log?.warn({ migration, tries }, inUse);
      await sleep(Math.random() * lockPolicy.pauseMsMax);
    }
  }

  /** Undefined: there is none. */
  async function applyNext(connection: Kysely<unknown>, migrator: Migrator): Promise<string | undefined> {
    for (let tries = 1; ; tries += 1) {
      const next = (await migrator.getMigrations()).find(({ executedAt }) => executedAt === undefined);
      if (next === undefined) {
        await tellOfNewer(connection);
        return undefined;
      }
      const outside = migrations[next.name]?.outsideTransaction === true;
      await sql`set lock_timeout = ${sql.lit(outside ? 0 : lockPolicy.waitMs)}`.execute(connection);
      const outcome = await migrator.migrateUp({ disableTransactions: outside });
      if (outcome.error === undefined) return next.name;
      if (!isLockTimeout(outcome.error) || tries >= lockPolicy.triesMax)
        throw await describeFailure(connection, outcome, migrations);
      log?.warn({ migration: next.name, tries }, inUse);
      await sleep(Math.random() * lockPolicy.pauseMsMax);
    }
  }

  /** After an upgrade was rolled back: this version can live with the migrations of the next one. */
  async function tellOfNewer(connection: Kysely<unknown>): Promise<void> {
    const unknown = await unknownMigrations(connection, migrations);
    if (unknown.length > 0) log?.warn({ unknown }, 'The database has been migrated by a newer version');
  }
}

/** It is the migrator's own lock, which a session may take again and again: so also other versions are kept out. */
async function underLock<Result>(connection: Kysely<unknown>, work: () => Promise<Result>): Promise<Result> {
  const { adapter } = connection.getExecutor();
  const lock = { lockTable: DEFAULT_MIGRATION_LOCK_TABLE, lockRowId: MIGRATION_LOCK_ID };
  await adapter.acquireMigrationLock(connection, lock);
  // Not released: it goes with its session, which is ours alone and ends here, also when it was lost before.
  return await work();
}

function isLockTimeout(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === '55P03';
}

function connect(connectionString: string): Kysely<unknown> {
  const pool = new pg.Pool({
    connectionString,
    max: 1,
    connectionTimeoutMillis: connectMsMax,
    application_name: 'holdfast migrate',
  });
  // A connection that is lost while idle is reported here, and by the next query; unheard it would end the process.
  pool.on('error', () => undefined);
  return new Kysely<unknown>({
    dialect: new PostgresDialect({
      pool,
      onCreateConnection: async (connection) => {
        await connection.executeQuery(CompiledQuery.raw(sessionSettings));
      },
    }),
  });
}

async function describeFailure(
  db: Kysely<unknown>,
  outcome: MigrationResultSet,
  migrations: Readonly<Record<string, Migration>>,
): Promise<Error> {
  const cause = outcome.error;
  const failed = outcome.results?.find((result) => result.status === 'Error');
  if (failed !== undefined) {
    const outside = migrations[failed.migrationName]?.outsideTransaction === true;
    const left = outside ? { left: 'and what it had done so far stays until it is run again' } : {};
    return new MigrationFailedError(failed.migrationName, { cause, ...left });
  }
  // The migrator refuses a database with unknown migrations, under its lock, before it runs any; here it gets its name.
  const unknown = await unknownMigrations(db, migrations);
  return unknown.length > 0
    ? new UnknownMigrationsError(unknown, { cause })
    : new MigrationFailedError(undefined, { cause });
}

/** None also when they cannot be read: this only explains a failure, and must not hide it behind its own. */
async function unknownMigrations(
  db: Kysely<unknown>,
  migrations: Readonly<Record<string, Migration>>,
): Promise<string[]> {
  try {
    const { rows } = await sql<{
      name: string;
    }>`select name from kysely_migration order by name collate "C"`.execute(db);
    return rows.map((row) => row.name).filter((name) => !(name in migrations));
  } catch {
    return [];
  }
}
