import { CompiledQuery, Kysely, PostgresDialect, sql } from 'kysely';
import { Migrator, type Migration, type MigrationResultSet } from 'kysely/migration';
import pg from 'pg';
import { migrations as ownMigrations } from '../../../migrations/index.ts';

/** The database holds migrations that this code does not have: it belongs to a newer version. Nothing was run. */
export class UnknownMigrationsError extends Error {
  readonly names: readonly string[];

  constructor(names: readonly string[], options: ErrorOptions) {
    super(
      `The database has migrations that this version does not know (${names.join(', ')}): a newer version has migrated it. ` +
        'Nothing was run. Use that version or a later one.',
      options,
    );
    this.name = 'UnknownMigrationsError';
    this.names = names;
  }
}

/** Migrating failed; `cause` is the reason. What this run had done was rolled back, unless the commit's answer was lost. */
export class MigrationFailedError extends Error {
  /** The migration that failed; undefined when it failed outside of any, for instance without a connection. */
  readonly migration: string | undefined;

  constructor(migration: string | undefined, options: ErrorOptions) {
    const reason = options.cause instanceof Error ? options.cause.message : String(options.cause);
    super(
      migration === undefined
        ? `Migrating failed: ${reason}`
        : `Migration ${migration} failed, everything was rolled back: ${reason}`,
      options,
    );
    this.name = 'MigrationFailedError';
    this.migration = migration;
  }
}

/** Where it is reported what was done; a `pino` logger is one. */
export interface MigrationLog {
  info(fields: Record<string, unknown>, message: string): void;
}

export interface MigrateOptions {
  /** Of a direct connection: the lock below is the session's, and a transaction pooler would lose it. */
  readonly connectionString: string;
  readonly log?: MigrationLog;
  /** Default: the migrations of this version. */
  readonly migrations?: Readonly<Record<string, Migration>>;
}

const connectMsMax = 15_000;

/**
 * What holds on our one connection, whatever the role or the database has set. A table that is in use makes a
 * migration fail after a while instead of making every later query queue behind it; building an index may take
 * long; and a migrator that vanished gives up its locks.
 */
const sessionSettings = `set lock_timeout = '10s'; set statement_timeout = 0; set idle_in_transaction_session_timeout = '60s'`;

/**
 * Brings the database to the schema of this version and returns the names of the migrations applied, in order; or
 * throws and leaves nothing half applied. Starters that do it at once wait for each other (a session advisory
 * lock, for at most an hour), and all but the first find nothing to do.
 *
 * All pending migrations run in one transaction, so none may contain what PostgreSQL refuses in one, such as
 * `CREATE INDEX CONCURRENTLY`.
 *
 * @throws UnknownMigrationsError, MigrationFailedError
 */
export async function migrateToLatest(options: MigrateOptions): Promise<string[]> {
  const { connectionString, log, migrations = ownMigrations } = options;
  const db = connect(connectionString);
  try {
    const migrator = new Migrator({
      db,
      provider: { getMigrations: () => Promise.resolve({ ...migrations }) },
    });
    const outcome = await migrator.migrateToLatest();
    if (outcome.error !== undefined) throw await describeFailure(db, outcome, migrations);
    const applied = (outcome.results ?? []).map((result) => result.migrationName);
    log?.info({ applied }, applied.length === 0 ? 'Database is up to date' : 'Database migrated');
    return applied;
  } finally {
    await db.destroy();
  }
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
  if (failed !== undefined) return new MigrationFailedError(failed.migrationName, { cause });
  // The migrator refuses a database with unknown migrations, under its lock, before it runs any; here it gets its name.
  const unknown = (await executedMigrations(db)).filter((name) => !(name in migrations));
  return unknown.length > 0
    ? new UnknownMigrationsError(unknown, { cause })
    : new MigrationFailedError(undefined, { cause });
}

/** None also when they cannot be read: this only explains a failure, and must not hide it behind its own. */
async function executedMigrations(db: Kysely<unknown>): Promise<string[]> {
  try {
    const { rows } = await sql<{
      name: string;
    }>`select name from kysely_migration order by name collate "C"`.execute(db);
    return rows.map((row) => row.name);
  } catch {
    return [];
  }
}
