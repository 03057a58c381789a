import { afterAll } from 'vitest';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/development/embedded-postgres.ts';
import { startReplica, type ReplicaProcess } from '../../src/lifecycle/replica-process.ts';
import { migrateToLatest } from '../../src/repository/postgres/migrate.ts';
import { createServerFolder, removeServer } from './abandoned-servers.ts';
import { entry, replicaEnv } from './served-replicas.ts';

const log = { info: () => undefined, warn: () => undefined };

/** A PostgreSQL of the test's own, to be killed and started again: what it has acknowledged survives that. */
export interface DurableServer {
  /** The server that is killed first. */
  readonly first: EmbeddedPostgres;
  /** Of its migrated database. It stays the same when the server is started again. */
  readonly databaseUrl: string;
  /** On the same data and the same port. */
  readonly startAgain: () => Promise<EmbeddedPostgres>;
  /** Starts a replica on it, which after the file must end with exit code 0 unless the test has killed it. */
  readonly serve: (env?: Readonly<Record<string, string>>) => Promise<ReplicaProcess>;
}

/** Starts one. After the file its replicas are stopped, then it, and its folder is removed. */
export async function startDurableServer(): Promise<DurableServer> {
  const folder = await createServerFolder();
  const started: EmbeddedPostgres[] = [];
  const replicas = new Set<ReplicaProcess>();
  removals.push(async () => {
    const ends = await Promise.all([...replicas].map((replica) => replica.stop()));
    await started.at(-1)?.stop();
    for (const used of new Set([folder, ...started.map(({ dataFolder }) => dataFolder)]))
      await removeServer(used, log);
    const unclean = ends.filter(({ code }) => code !== 0);
    if (unclean.length > 0) throw new Error(`replicas did not end cleanly: ${JSON.stringify(unclean)}`);
  });
  const start = async (port?: number): Promise<EmbeddedPostgres> => {
    const server = await startEmbeddedPostgres({
      dataFolder: folder,
      durable: true,
      log,
      ...(port !== undefined && { port }),
    });
    started.push(server);
    return server;
  };
  const first = await start();
  const databaseUrl = first.url('holdfast');
  await migrateToLatest({ connectionString: databaseUrl });
  return {
    first,
    databaseUrl,
    startAgain: () => start(first.port),
    serve: async (env) => {
      const served = await startReplica({ entry, env: replicaEnv(databaseUrl, env) });
      const replica: ReplicaProcess = {
        ...served,
        kill: (signal) => {
          replicas.delete(replica);
          served.kill(signal);
        },
      };
      replicas.add(replica);
      return replica;
    },
  };
}

const removals: (() => Promise<void>)[] = [];

afterAll(async () => {
  await Promise.all(removals.map((remove) => remove()));
});
