import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/development/embedded-postgres.ts';
import { serverProcesses } from '../../src/development/server-processes.ts';
import { startReplica, type ReplicaProcess } from '../../src/lifecycle/replica-process.ts';
import { migrateToLatest } from '../../src/repository/postgres/migrate.ts';
import { createServerFolder, removeServer } from '../support/abandoned-servers.ts';
import { Api } from '../support/api.ts';
import { audit, openWorkload, tally } from '../support/audit.ts';
import { Clients } from '../support/clients.ts';
import { chooseSeed } from '../support/random.ts';
import { adminApiKey, entry, replicaEnv } from '../support/served-replicas.ts';
import { planWorkload } from '../support/workload.ts';

const operations = 1200;
const log = { info: () => undefined, warn: () => undefined };

let folder: string | undefined;
let server: EmbeddedPostgres | undefined;
let replicas: readonly ReplicaProcess[] = [];

afterAll(async () => {
  const ends = await Promise.all(replicas.map(async (replica) => await replica.stop()));
  await server?.stop();
  for (const used of new Set([folder, server?.dataFolder]))
    if (used !== undefined) await removeServer(used, log);
  expect(ends).toEqual(ends.map(() => ({ code: 0, signal: null })));
});

test('kill -9 of every replica and every process of PostgreSQL at once: nothing acknowledged is lost, nothing done twice', async () => {
  const seed = chooseSeed('kill everything');
  folder = await createServerFolder();
  const options = { dataFolder: folder, durable: true, log };
  server = await startEmbeddedPostgres(options);
  const killed = server;
  const databaseUrl = killed.url('holdfast');
  await migrateToLatest({ connectionString: databaseUrl });
  const serve = async (port: number): Promise<ReplicaProcess> =>
    await startReplica({ entry, env: replicaEnv(databaseUrl, { PORT: String(port) }) });
  replicas = await Promise.all([serve(0), serve(0), serve(0)]);
  const victims = replicas;
  const urls = victims.map(({ url }) => url);
  const api = await Api.of(urls[0] ?? '', adminApiKey);
  await openWorkload(api, operations);

  const killEverything = async (): Promise<void> => {
    // In the caller's own turn, while the load goes on; then what the server's end has not ended by itself.
    for (const victim of victims) victim.kill('SIGKILL');
    kill(killed.processId);
    for (const processId of await serverProcesses(path.join(killed.dataFolder, 'cluster', 'data')))
      kill(processId);
    await Promise.all(victims.map(async ({ ended }) => await ended));
    server = await startEmbeddedPostgres({ ...options, port: killed.port });
    replicas = await Promise.all(urls.map(async (url) => await serve(Number(new URL(url).port))));
  };
  let harm: Promise<void> | undefined;
  const run = await Clients.run({
    operations: planWorkload({ seed, operations }),
    urls,
    token: adminApiKey,
    clients: 24,
    seed,
    onProgress: (settled) => {
      if (settled >= operations / 3) harm ??= killEverything();
    },
  });
  await harm;

  expect(server).toMatchObject({ port: killed.port, adopted: false });
  expect(server.processId).not.toBe(killed.processId);
  expect(await Promise.all(victims.map(async ({ ended }) => await ended))).toEqual(
    victims.map(() => ({ code: null, signal: 'SIGKILL' })),
  );
  // Clients noticed, and asked again under their keys until they knew.
  expect(run.unanswered).toBeGreaterThan(0);
  expect(tally(run)['accepted']).toBeGreaterThan(operations / 3);
  await audit(api, { run, operations, databaseUrl });
  api.close();
}, 180_000);

/** One that has just ended by itself, because another did, is as good. */
function kill(processId: number): void {
  try {
    process.kill(processId, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
