import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { startEmbeddedPostgres } from '../../src/development/embedded-postgres.ts';
import { migrateToLatest } from '../../src/repository/postgres/migrate.ts';
import { createServerFolder, removeAbandonedServers, removeServer } from './abandoned-servers.ts';
import { databaseUrl, query } from './query.ts';

/** The server of a test run, as `inject('postgres')` gives it to test files. */
export interface TestPostgres {
  /** A connection string to the server's maintenance database, as a user who may create databases. */
  readonly maintenanceUrl: string;
  /** The migrated database that test databases are copies of. Nobody connects to it. */
  readonly template: string;
  /** What the name of every database of this run begins with. */
  readonly prefix: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    postgres: TestPostgres;
  }
}

interface Server {
  readonly maintenanceUrl: string;
  stop(): Promise<void>;
}

/** A file's pool, a handful of replicas, and as many files at once as there are processors. */
const connectionsMax = '200';
const image = 'postgres:18-bookworm';
/** Nothing here outlives the run. */
const fastSettings = { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' };

const log = {
  info: () => undefined,
  warn: (fields: Record<string, unknown>, message: string) =>
    process.stderr.write(`${message} ${JSON.stringify(fields)}\n`),
};

/**
 * Gives the whole run one PostgreSQL and one migrated template database, and takes both away at the end.
 * `TEST_POSTGRES` says which server: `embedded` (default), `container`, or the `postgres://` URL of one where we may create databases.
 */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const server = await startServer(process.env['TEST_POSTGRES'] ?? 'embedded');
  const prefix = `holdfast_test_${randomBytes(4).toString('hex')}_`;
  const tearDown = async (): Promise<void> => {
    try {
      await dropDatabases(server.maintenanceUrl, prefix);
    } finally {
      await server.stop();
    }
  };
  try {
    const template = `${prefix}template`;
    await query(server.maintenanceUrl, `create database ${template}`);
    await migrateToLatest({ connectionString: databaseUrl(server.maintenanceUrl, template) });
    project.provide('postgres', { maintenanceUrl: server.maintenanceUrl, template, prefix });
    return tearDown;
  } catch (error) {
    await tearDown();
    throw error;
  }
}

async function startServer(kind: string): Promise<Server> {
  if (kind === 'embedded') return await startEmbedded();
  if (kind === 'container') return await startContainer();
  if (/^postgres(ql)?:\/\//.test(kind)) return { maintenanceUrl: kind, stop: () => Promise.resolve() };
  throw new Error(`TEST_POSTGRES must be "embedded", "container" or a postgres:// URL, not "${kind}"`);
}

async function startEmbedded(): Promise<Server> {
  await removeAbandonedServers(log);
  const dataFolder = await createServerFolder();
  try {
    const settings = { max_connections: connectionsMax };
    const server = await startEmbeddedPostgres({ dataFolder, durable: false, log, settings });
    const stop = async (): Promise<void> => {
      await server.stop();
      // Not the same folder when root's temporary files lie where the server's user cannot reach them.
      for (const folder of new Set([dataFolder, server.dataFolder])) await removeServer(folder, log);
    };
    return { maintenanceUrl: server.url('postgres'), stop };
  } catch (error) {
    await removeServer(dataFolder, log);
    throw error;
  }
}

async function startContainer(): Promise<Server> {
  const { PostgreSqlContainer } = await import('@testcontainers/postgresql');
  const settings = { ...fastSettings, max_connections: connectionsMax };
  const container = await new PostgreSqlContainer(image)
    .withCommand([
      'postgres',
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ])
    .start();
  return {
    maintenanceUrl: container.getConnectionUri(),
    stop: async () => {
      await container.stop();
    },
  };
}

async function dropDatabases(maintenanceUrl: string, prefix: string): Promise<void> {
  const { rows } = await query(
    maintenanceUrl,
    'select datname from pg_database where starts_with(datname, $1)',
    [prefix],
  );
  for (const row of rows)
    await query(
      maintenanceUrl,
      `drop database if exists ${pg.escapeIdentifier(String(row['datname']))} with (force)`,
    );
}
