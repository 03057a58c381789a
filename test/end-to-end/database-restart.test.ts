import { expect, test } from 'vitest';
import type { EmbeddedPostgres } from '../../src/development/embedded-postgres.ts';
import { Api } from '../support/api.ts';
import { audit, openWorkload, tally } from '../support/audit.ts';
import { Clients } from '../support/clients.ts';
import { startDurableServer } from '../support/durable-server.ts';
import { chooseSeed } from '../support/random.ts';
import { adminApiKey } from '../support/served-replicas.ts';
import { planWorkload } from '../support/workload.ts';

const operations = 1200;

test('PostgreSQL is killed and started again in full flow: clients try again, nothing is lost, nothing done twice', async () => {
  const seed = chooseSeed('database restart');
  const { first, databaseUrl, startAgain, serve } = await startDurableServer();
  const env = { DB_ACQUIRE_TIMEOUT: '2s', RETRY_MAX: '3' };
  const urls = [(await serve(env)).url, (await serve(env)).url];
  const api = await Api.of(urls[0] ?? '', adminApiKey);
  await openWorkload(api, operations);

  // The first time it is started again at once; the second time only when clients have been told that it is away.
  const restart = { first: done(), second: done() };
  let phase: 'up' | 'killed once' | 'back' | 'killed twice' | 'back again' = 'up';
  let server = first;
  const run = await Clients.run({
    operations: planWorkload({ seed, operations }),
    urls,
    token: adminApiKey,
    clients: 24,
    seed,
    onProgress: (settled) => {
      if (phase === 'up' && settled >= operations / 4) {
        phase = 'killed once';
        process.kill(first.processId, 'SIGKILL');
        restart.first.from(startAgain());
        restart.first.promise.then(
          (started) => {
            server = started;
            phase = 'back';
          },
          () => undefined,
        );
      } else if (phase === 'back' && settled >= operations / 2) {
        phase = 'killed twice';
        process.kill(server.processId, 'SIGKILL');
      }
    },
    onFailure: () => {
      if (phase !== 'killed twice') return;
      phase = 'back again';
      restart.second.from(startAgain());
    },
  });
  server = await restart.second.promise;

  const ids = [first.processId, (await restart.first.promise).processId, server.processId];
  expect(new Set(ids).size).toBe(3);
  expect(server).toMatchObject({ port: first.port, adopted: false });
  // The replicas stayed up and answered all along; what they could not do they said.
  expect(run.unanswered).toBe(0);
  expect(run.failures['database_unavailable']).toBeGreaterThan(0);
  const codes = Object.keys(run.failures);
  expect(codes.filter((code) => !['database_unavailable', 'outcome_unknown'].includes(code))).toEqual([]);
  expect(tally(run)['accepted']).toBeGreaterThan(operations / 3);
  await audit(api, { run, operations, databaseUrl });
  api.close();
}, 120_000);

/** Something that is begun in a callback and waited for elsewhere. */
function done(): { promise: Promise<EmbeddedPostgres>; from: (started: Promise<EmbeddedPostgres>) => void } {
  const { promise, resolve, reject } = Promise.withResolvers<EmbeddedPostgres>();
  return {
    promise,
    from: (started) => {
      started.then(resolve, reject);
    },
  };
}
