import { expect, test } from 'vitest';
import { audit, openWorkload, tally } from '../support/audit.ts';
import { Clients } from '../support/clients.ts';
import { HttpClient } from '../support/http-client.ts';
import { openMarket } from '../support/market.ts';
import { chooseSeed } from '../support/random.ts';
import { expectProblem, ok, quantities, receipt, type Inventory } from '../support/resources.ts';
import { holdAccount } from '../support/row-lock.ts';
import { adminApiKey, serveReplica, serveReplicas, type ServedReplica } from '../support/served-replicas.ts';
import { until } from '../support/until.ts';
import { planWorkload } from '../support/workload.ts';

const stopMsMax = 10_000;

/** How a replica ended, if it did so in time; what does not end is killed. */
async function endOf(replica: ServedReplica): Promise<unknown> {
  const timer = new AbortController();
  const late = new Promise((resolve) => {
    setTimeout(resolve, stopMsMax, `still running ${stopMsMax} ms after its signal`).unref();
    timer.signal.addEventListener('abort', () => {
      resolve(undefined);
    });
  });
  const end = await Promise.race([replica.ended, late]);
  timer.abort();
  replica.kill('SIGKILL');
  return end;
}

test('SIGTERM in full flow: what was acknowledged is there, the exit code is 0', async () => {
  const operations = 1500;
  const seed = chooseSeed('graceful stop');
  const { database, replicas } = await serveReplicas(2, { SHUTDOWN_GRACE: '300ms' });
  const [leaving, staying] = replicas;
  if (leaving === undefined || staying === undefined) throw new Error('there are two');
  await openWorkload(staying.api, operations);
  let end: Promise<unknown> | undefined;
  const run = await Clients.run({
    operations: planWorkload({ seed, operations }),
    urls: replicas.map(({ url }) => url),
    token: adminApiKey,
    clients: 32,
    seed,
    onProgress: (done) => {
      if (done < operations / 3 || end !== undefined) return;
      leaving.kill('SIGTERM');
      end = endOf(leaving);
    },
  });

  expect(await end).toEqual({ code: 0, signal: null });
  // Whoever came too late was refused, or told.
  expect(Object.keys(run.failures).filter((code) => code !== 'shutting_down')).toEqual([]);
  expect(tally(run)['accepted']).toBeGreaterThan(operations / 3);
  await audit(staying.api, { run, operations, databaseUrl: database.url });
}, 60_000);

test('SIGTERM: not ready at once, serving while load balancers notice, and what is under way is answered', async () => {
  const replica = await serveReplica({ env: { SHUTDOWN_GRACE: '1s' } });
  const { api, database } = replica;
  await openMarket(api);
  receipt(await api.grant('held', { gold: 1 }));
  const lock = await holdAccount(database.url, 'held');
  const underWay = Array.from({ length: 20 }, (_, i) =>
    api.grant('held', { gold: 1 }, { key: `under-way-${i}` }),
  );
  await lock.waitedFor();
  replica.kill('SIGTERM');
  await until('it is not ready', async () => (await api.get('/readyz')).status === 503);
  // Still in its time of grace: it lives, and serves.
  ok(await api.get('/livez'));
  receipt(await api.grant('late', { gold: 1 }));
  await lock.release();
  for (const answer of await Promise.all(underWay)) receipt(answer);
  expect(quantities(ok<Inventory>(await api.inventory('held')))).toEqual({ gold: 21 });
  api.close();
  expect(await endOf(replica)).toEqual({ code: 0, signal: null });
});

test('connections that clients keep open do not hold up the stop', async () => {
  const replica = await serveReplica();
  const { api, database } = replica;
  await openMarket(api);
  receipt(await api.grant('held', { gold: 1 }));
  const keeper = new HttpClient(replica.url);
  await keeper.send({ method: 'GET', path: '/livez' });
  const lock = await holdAccount(database.url, 'held');
  const underWay = api.grant('held', { gold: 1 });
  await lock.waitedFor();
  replica.kill('SIGTERM');
  await until('no new connection is accepted', async () => {
    const probe = new HttpClient(replica.url);
    const refused = await probe.send({ method: 'GET', path: '/livez' }).then(
      () => false,
      () => true,
    );
    probe.close();
    return refused;
  });
  await lock.release();
  receipt(await underWay);
  expect(await endOf(replica)).toEqual({ code: 0, signal: null });
  keeper.close();
  api.close();
});

test('SIGINT is as good', async () => {
  const replica = await serveReplica();
  replica.kill('SIGINT');
  expect(await endOf(replica)).toEqual({ code: 0, signal: null });
});

test('two signals close together are one; a later one forces', async () => {
  const patience = { DB_LOCK_TIMEOUT: '20s', DB_STATEMENT_TIMEOUT: '25s' };
  const replica = await serveReplica({ env: patience });
  const { api, database } = replica;
  await openMarket(api);
  receipt(await api.grant('held', { gold: 1 }));
  const lock = await holdAccount(database.url, 'held');
  const underWay = api.grant('held', { gold: 1 }, { key: 'forced' }).then(
    () => 'answered',
    () => 'cut',
  );
  await lock.waitedFor();
  const beganMs = performance.now();
  replica.kill('SIGTERM');
  replica.kill('SIGTERM');
  replica.kill('SIGINT');
  let ended = false;
  const noted = replica.ended.then(() => {
    ended = true;
  });
  await until('a second signal is no echo of the first', () => performance.now() - beganMs > 600 || ended);
  expect(ended, 'echoes of the first signal force nothing').toBe(false);
  replica.kill('SIGTERM');
  const end = (await endOf(replica)) as { code: number | null };
  await noted;
  expect(end.code).not.toBe(0);
  expect(end.code).not.toBeNull();
  expect(await underWay).toBe('cut');
  await lock.release();
});

test('what was cut by force is done once, or not at all, and the same key settles it', async () => {
  const { replicas, database } = await serveReplicas(2, {
    DB_LOCK_TIMEOUT: '20s',
    DB_STATEMENT_TIMEOUT: '25s',
  });
  const [forced, other] = replicas;
  if (forced === undefined || other === undefined) throw new Error('there are two');
  await openMarket(other.api);
  receipt(await other.api.grant('held', { gold: 1 }));
  const lock = await holdAccount(database.url, 'held');
  const cut = forced.api.grant('held', { gold: 5 }, { key: 'settled' }).catch(() => null);
  await lock.waitedFor();
  forced.kill('SIGKILL');
  expect(await cut).toBeNull();
  const again = other.api.grant('held', { gold: 5 }, { key: 'settled' });
  await lock.release();
  ok(await again, 201);
  expectProblem(await other.api.consume('held', { gold: 7 }), 409, 'insufficient_balance', { available: 6 });
});
