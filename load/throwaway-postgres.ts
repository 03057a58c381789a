import { mkdir, mkdtemp, readdir, realpath, rm } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import type { DevelopmentLog } from '../src/development/development-log.ts';
import { startEmbeddedPostgres } from '../src/development/embedded-postgres.ts';

/** A PostgreSQL that is there for one run, and keeps its promises meanwhile: commits reach the disk. */
export interface ThrowawayPostgres {
  readonly processId: number;
  /** A new, empty database, and the connection string for it. */
  createDatabase(name: string): Promise<string>;
  /**
   * Has it make the segments of its WAL beforehand, as one has that has run for a while. A new server makes each when the one
   * before is full, and holds up every commit meanwhile: seen to take up to 400 ms.
   */
  makeWalSegments(): Promise<void>;
  /** Stops it, and removes all that it kept. May be called any number of times. */
  remove(): Promise<void>;
}

/** Below the folder that we are started in: the folder for temporary files may lie in memory, where no commit costs anything. */
const parent = '.data';

/** For several replicas, each with its pool. Segments of the WAL are kept and used again, however little is written. */
const settings = { max_connections: '200', min_wal_size: '1GB', max_wal_size: '4GB' };

/** Segments of 16 MB: as many as a run writes between two checkpoints. */
const walSegments = 40;

/**
 * Starts one in a folder of its own. `purpose` is part of the folder's name, together with our process id: what a run
 * that was killed has left is recognised by it, and removed by the next.
 */
export async function startThrowawayPostgres({
  purpose,
  log,
}: {
  purpose: string;
  log: DevelopmentLog;
}): Promise<ThrowawayPostgres> {
  await mkdir(parent, { recursive: true });
  await removeAbandoned(`${purpose}-`);
  const folder = await realpath(await mkdtemp(path.join(parent, `${purpose}-${process.pid}-`)));
  const server = await startEmbeddedPostgres({ dataFolder: folder, durable: true, settings, log }).catch(
    async (error: unknown) => {
      await removeFolder(folder);
      throw error;
    },
  );
  const remove = async (): Promise<void> => {
    await server.stop();
    // Not the same folder when root's clone lies where the server's user cannot reach it.
    for (const place of new Set([folder, server.dataFolder])) await removeFolder(place);
  };
  return {
    processId: server.processId,
    createDatabase: async (name) => {
      await execute(server.url('postgres'), `create database ${pg.escapeIdentifier(name)}`);
      return server.url(name);
    },
    makeWalSegments: async () => {
      await connected(server.url('postgres'), async (connection) => {
        for (let i = 0; i < walSegments; i += 1) {
          await connection.query(
            `select pg_logical_emit_message(false, 'holdfast', 'one more segment', true)`,
          );
          await connection.query('select pg_switch_wal()');
        }
        await connection.query('checkpoint');
      });
    },
    remove,
  };
}

/** Any number of statements, in one transaction, on a connection of its own. */
export async function execute(url: string, text: string): Promise<void> {
  await connected(url, async (connection) => await connection.query(text));
}

/** The rows of one statement, on a connection of its own. */
export async function select(url: string, text: string): Promise<readonly Record<string, unknown>[]> {
  return await connected(url, async (connection) => {
    const { rows } = await connection.query<Record<string, unknown>>(text);
    return rows;
  });
}

async function connected<Result>(
  url: string,
  work: (connection: pg.Client) => Promise<Result>,
): Promise<Result> {
  const connection = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 10_000,
    query_timeout: 60_000,
  });
  // A connection that is cut fails its query; the event that follows would, unheard, end the process.
  connection.on('error', () => undefined);
  await connection.connect();
  try {
    return await work(connection);
  } finally {
    await connection.end();
  }
}

/** Adopting a server is how one that was left behind is stopped. */
async function removeAbandoned(prefix: string): Promise<void> {
  const quiet: DevelopmentLog = { info: () => undefined, warn: () => undefined };
  for (const name of await readdir(parent)) {
    const owner = name.startsWith(prefix) ? Number.parseInt(name.slice(prefix.length), 10) : NaN;
    if (Number.isNaN(owner) || isRunning(owner)) continue;
    const folder = path.resolve(parent, name);
    try {
      const server = await startEmbeddedPostgres({ dataFolder: folder, durable: true, log: quiet });
      await server.stop();
      await removeFolder(server.dataFolder);
    } catch {
      // It was interrupted before there was a server, or someone else is at it: what can be removed, is.
    }
    await removeFolder(folder);
  }
}

function isRunning(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}
