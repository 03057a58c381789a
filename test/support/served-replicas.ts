import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { startReplica, type ReplicaProcess } from '../../src/lifecycle/replica-process.ts';
import { Api } from './api.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';

/** The command line's own file. */
export const entry = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export const adminApiKey = 'hf_test_0123456789abcdefghijklmnopqrstuv';

/** A replica as a process of its own, and a caller of it. */
export interface ServedReplica extends ReplicaProcess {
  readonly api: Api;
  readonly database: TestDatabase;
}

interface Options {
  readonly database?: TestDatabase;
  /** On top of what every replica in tests is given. */
  readonly env?: Readonly<Record<string, string>>;
}

const running = new Set<ServedReplica>();

// Runs before the database is dropped, whose own hook was registered earlier.
afterAll(async () => {
  const ends = await Promise.all(
    [...running].map(async (replica) => {
      replica.api.close();
      return await replica.stop();
    }),
  );
  const unclean = ends.filter(({ code }) => code !== 0);
  if (unclean.length > 0) throw new Error(`replicas did not end cleanly: ${JSON.stringify(unclean)}`);
});

/** What a replica's environment is in tests. */
export function replicaEnv(
  databaseUrl: string,
  env: Readonly<Record<string, string>> = {},
): Record<string, string | undefined> {
  return {
    PATH: process.env['PATH'],
    NODE_ENV: 'development',
    DATABASE_URL: databaseUrl,
    ADMIN_API_KEY: adminApiKey,
    HOST: '127.0.0.1',
    PORT: '0',
    // Tests run at any hour.
    VERIFY_SCHEDULE: 'off',
    LOG_LEVEL: process.env['TEST_LOG_LEVEL'] ?? 'silent',
    ...env,
  };
}

/**
 * Starts a replica, on a new database unless one is given. It is stopped after the file, and must then end with exit
 * code 0; one that the test itself sends a signal is the test's to judge.
 */
export async function serveReplica({ database, env }: Options = {}): Promise<ServedReplica> {
  const on = database ?? (await createTestDatabase());
  const started = await startReplica({ entry, env: replicaEnv(on.url, env) });
  const api = await Api.of(started.url, env?.['ADMIN_API_KEY'] ?? adminApiKey);
  const replica: ServedReplica = {
    ...started,
    api,
    database: on,
    kill: (signal) => {
      running.delete(replica);
      started.kill(signal);
    },
  };
  running.add(replica);
  return replica;
}

/** Starts so many replicas on one new database. */
export async function serveReplicas(
  count: number,
  env: Readonly<Record<string, string>> = {},
): Promise<{ database: TestDatabase; replicas: ServedReplica[]; apis: Api[] }> {
  const database = await createTestDatabase();
  const replicas = await Promise.all(Array.from({ length: count }, () => serveReplica({ database, env })));
  return { database, replicas, apis: replicas.map(({ api }) => api) };
}

/** Starts two replicas on one new database, for what must hold on any replica. */
export async function servePair(env: Readonly<Record<string, string>> = {}): Promise<[Api, Api]> {
  const {
    apis: [one, other],
  } = await serveReplicas(2, env);
  if (one === undefined || other === undefined) throw new Error('there are two');
  return [one, other];
}
