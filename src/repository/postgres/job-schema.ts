import { runMigrations, Logger } from 'graphile-worker';
import pg from 'pg';

/** The revision of graphile-worker's schema that the installed graphile-worker makes, and this version needs. */
export const jobSchemaRevision = 20;

export interface JobSchemaOptions {
  readonly connectionString: string;
  readonly lockTimeoutMs: number;
  readonly connectMsMax: number;
}

/**
 * Brings graphile-worker's own schema, in which jobs are kept, to the revision of this version, and answers the one it
 * was before; null: it was not there. To be called under the lock of the migrations.
 */
export async function installJobSchema(options: JobSchemaOptions): Promise<number | null> {
  const pool = new pg.Pool({
    connectionString: options.connectionString,
    max: 1,
    connectionTimeoutMillis: options.connectMsMax,
    application_name: 'holdfast migrate jobs',
  });
  // Also so that graphile-worker finds listeners here, and doesn't add its own.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => {
    client.on('error', () => undefined);
  });
  try {
    await pool.query(
      `set statement_timeout = 0; set idle_in_transaction_session_timeout = '60s'; set lock_timeout = ${options.lockTimeoutMs}`,
    );
    const before = await revisionOf(pool);
    await runMigrations({ pgPool: pool, logger: silent });
    await pool.query(additions);
    return before;
  } finally {
    await pool.end();
  }
}

async function revisionOf(pool: pg.Pool): Promise<number | null> {
  const { rows: tables } = await pool.query<{ there: boolean }>(
    `select to_regclass('graphile_worker.migrations') is not null as there`,
  );
  if (tables[0]?.there !== true) return null;
  const { rows } = await pool.query<{ revision: number | null }>(
    'select max(id) as revision from graphile_worker.migrations',
  );
  return rows[0]?.revision ?? null;
}

/**
 * What we add to graphile-worker's tables. An index of the jobs that nobody can take: those under way and those failed
 * for good, which are few and looked for every second. And no row security: graphile-worker turns it on without a
 * policy, so that nobody but the owner would see a job; who may is said by grants here, as for every other table, so
 * that a service need not own what it works with.
 */
const additions = `
  do $$
  declare
    owned regclass;
  begin
    -- Not "if not exists": that would lock the table before it looks.
    if to_regclass('graphile_worker.holdfast_unavailable') is null then
      create index holdfast_unavailable on graphile_worker._private_jobs (locked_by) where is_available = false;
    end if;
    for owned in
      select oid from pg_class
      where relnamespace = 'graphile_worker'::regnamespace and relkind = 'r' and relrowsecurity
    loop
      execute format('alter table %s disable row level security', owned);
    end loop;
  end $$`;

const silent = new Logger(() => () => undefined);
