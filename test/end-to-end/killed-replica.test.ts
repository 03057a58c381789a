import { expect, test } from 'vitest';
import { audit, openWorkload, tally } from '../support/audit.ts';
import { Clients } from '../support/clients.ts';
import { chooseSeed } from '../support/random.ts';
import { adminApiKey, serveReplicas } from '../support/served-replicas.ts';
import { planWorkload } from '../support/workload.ts';

const operations = 1500;

test('SIGKILL of one of three replicas in full flow: clients try again elsewhere, nothing is lost, nothing done twice', async () => {
  const seed = chooseSeed('killed replica');
  const { database, replicas } = await serveReplicas(3);
  const [victim, survivor] = replicas;
  if (victim === undefined || survivor === undefined) throw new Error('there are three');
  await openWorkload(survivor.api, operations);
  let killedAt = 0;
  const run = await Clients.run({
    operations: planWorkload({ seed, operations }),
    urls: replicas.map(({ url }) => url),
    token: adminApiKey,
    clients: 32,
    seed,
    onProgress: (done) => {
      if (done < operations / 3 || killedAt > 0) return;
      killedAt = done;
      victim.kill('SIGKILL');
    },
  });

  expect(await victim.ended).toEqual({ code: null, signal: 'SIGKILL' });
  expect(killedAt).toBe(operations / 3);
  // It was hit in full flow: requests that it had taken were never answered.
  expect(run.unanswered).toBeGreaterThan(0);
  expect(run.failures).toEqual({});
  expect(tally(run)['accepted']).toBeGreaterThan(operations / 3);
  await audit(survivor.api, { run, operations, databaseUrl: database.url });
}, 60_000);
