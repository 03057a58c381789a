import { sql, type Kysely } from 'kysely';
import { migrations } from '../../../migrations/index.ts';
import { RepositoryError } from '../errors.ts';
import type { DB } from './database-types.ts';
import { isExposed, readServerLink } from './server-link.ts';
import { jobSchemaRevision } from './job-schema.ts';

/** Where it is told what the server's settings mean for what Holdfast promises. */
export interface ServerCheckLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** The database is there, but not one that this version can serve from. */
export class UnfitServerError extends RepositoryError {
  override name = 'UnfitServerError';
}

const versionMin = 150_000;

/** What the durability of an answered operation rests on, and what is lost where it is off. */
const durabilityRisks: Readonly<Record<string, string>> = {
  synchronous_commit:
    'operations of up to the last three wal_writer_delays that were answered can be lost when the server crashes',
  fsync: 'the whole database can be corrupted when the machine crashes',
  full_page_writes: 'pages can be corrupted when the machine crashes',
};

/**
 * Refuses a server that is too old or a database that is not migrated, with what to do about it; warns of settings
 * under which an operation that was answered could still be lost, and of a way to the server that others can listen on.
 */
export async function checkServer(db: Kysely<DB>, log: ServerCheckLog): Promise<void> {
  const { rows } = await sql<{
    version: number;
    name: string;
    synchronous_commit: string;
    fsync: string;
    full_page_writes: string;
    standbys: string;
  }>`
    select current_setting('server_version_num')::int as version, current_setting('server_version') as name,
      current_setting('synchronous_commit') as synchronous_commit, current_setting('fsync') as fsync,
      current_setting('full_page_writes') as full_page_writes,
      current_setting('synchronous_standby_names') as standbys`.execute(db);
  const [server] = rows;
  if (server === undefined || server.version < versionMin) {
    throw new UnfitServerError(`PostgreSQL 15 or later is needed, and this is ${server?.name ?? 'unknown'}`);
  }
  await checkMigrated(db);
  await checkJobSchema(db, log);
  const { synchronous_commit, fsync, full_page_writes, standbys } = server;
  log.info(
    { postgres: server.name, synchronous_commit, synchronous_standby_names: standbys },
    `a commit waits for: ${commitWaitsFor[synchronous_commit] ?? synchronous_commit}`,
  );
  for (const [name, value] of Object.entries({ synchronous_commit, fsync, full_page_writes })) {
    if (value === 'off') log.warn({ setting: name }, `${name} is off: ${durabilityRisks[name] ?? ''}`);
  }
  const risk = failoverRisks[synchronous_commit];
  if (standbys !== '' && risk !== undefined)
    log.warn({ setting: 'synchronous_commit' }, `synchronous_commit is ${synchronous_commit}: ${risk}`);
  const link = await readServerLink(db);
  if (isExposed(link)) {
    const { clientAddress, serverAddress } = link;
    log.warn(
      { clientAddress, serverAddress },
      'the connection to PostgreSQL is not encrypted, and leaves this machine: set sslmode=verify-full in DATABASE_URL',
    );
  }
}

/** What is lost although there are synchronous standbys. */
const failoverRisks: Readonly<Record<string, string>> = {
  local: 'operations that were answered can be lost when a standby takes over',
  remote_write:
    'operations that were answered can be lost when a standby takes over whose machine has crashed as well',
};

const commitWaitsFor: Readonly<Record<string, string>> = {
  off: 'nothing',
  local: 'this server’s disk, no standby',
  remote_write: 'this server’s disk, and that synchronous standbys have received it',
  on: 'this server’s disk, and that of synchronous standbys where there are any',
  remote_apply: 'this server’s disk, and that synchronous standbys show it',
};

async function checkMigrated(db: Kysely<DB>): Promise<void> {
  const { rows: tables } = await sql<{
    there: boolean;
  }>`select to_regclass('kysely_migration') is not null as there`.execute(db);
  const applied = new Set<string>();
  if (tables[0]?.there === true) {
    const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(db);
    for (const { name } of rows) applied.add(name);
  }
  const missing = Object.keys(migrations).filter((name) => !applied.has(name));
  if (missing.length > 0)
    throw new UnfitServerError(
      `the database lacks the migrations ${missing.join(', ')}: run \`holdfast migrate\` (npm run migrate)`,
    );
}

/** Jobs are kept in graphile-worker's own schema. A replica never changes it: it needs no right to. */
async function checkJobSchema(db: Kysely<DB>, log: ServerCheckLog): Promise<void> {
  const { rows: tables } = await sql<{
    there: boolean;
  }>`select to_regclass('graphile_worker.migrations') is not null as there`.execute(db);
  if (tables[0]?.there !== true)
    throw new UnfitServerError(
      'the database lacks the schema of graphile-worker: run `holdfast migrate` (npm run migrate)',
    );
  const { rows } = await sql<{ revision: number; breaking: number }>`
    select max(id)::int as revision, coalesce(max(id) filter (where breaking), 0)::int as breaking
    from graphile_worker.migrations`.execute(db);
  const { revision = 0, breaking = 0 } = rows[0] ?? {};
  const found = `the schema of graphile-worker is at revision ${revision}, and this version needs ${jobSchemaRevision}`;
  if (revision < jobSchemaRevision)
    throw new UnfitServerError(`${found}: run \`holdfast migrate\` (npm run migrate)`);
  if (breaking > jobSchemaRevision)
    throw new UnfitServerError(`${found}; what came since breaks with it: use a later version`);
  if (revision > jobSchemaRevision) log.warn({ revision }, `${found}: a newer version has migrated it`);
}
