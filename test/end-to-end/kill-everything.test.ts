import path from 'node:path';
import { expect, test } from 'vitest';
import type { EmbeddedPostgres } from '../../src/development/embedded-postgres.ts';
import { serverProcesses } from '../../src/development/server-processes.ts';
import { Api } from '../support/api.ts';
import { audit, openWorkload, tally } from '../support/audit.ts';
import { Clients } from '../support/clients.ts';
import { startDurableServer } from '../support/durable-server.ts';
import { chooseSeed } from '../support/random.ts';
import { adminApiKey } from '../support/served-replicas.ts';
import { planWorkload } from '../support/workload.ts';

const operations = 1200;

test('kill -9 of every replica and every process of PostgreSQL at once: nothing acknowledged is lost, nothing done twice', async () => {
  const seed = chooseSeed('kill everything');
  const { first: killed, databaseUrl, startAgain, serve } = await startDurableServer();
  const victims = await Promise.all([serve(), serve(), serve()]);
  const urls = victims.map(({ url }) => url);
  const api = await Api.of(urls[0] ?? '', adminApiKey);
  await openWorkload(api, operations);

  const killEverything = async (): Promise<EmbeddedPostgres> => {
    // In the caller's own turn, while the load goes on; then what the server's end has not ended by itself.
    for (const victim of victims) victim.kill('SIGKILL');
    kill(killed.processId);
    for (const processId of await serverProcesses(path.join(killed.dataFolder, 'cluster', 'data')))
      kill(processId);
    await Promise.all(victims.map(async ({ ended }) => await ended));
    const server = await startAgain();
    await Promise.all(urls.map((url) => serve({ PORT: new URL(url).port })));
    return server;
  };
  let harm: Promise<EmbeddedPostgres> | undefined;
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

  const server = await harm;
  expect(server).toMatchObject({ port: killed.port, adopted: false });
  expect(server?.processId).not.toBe(killed.processId);
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
