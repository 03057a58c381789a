import { once } from 'node:events';
import { createServer } from 'node:net';
import pg from 'pg';
import { expect, test } from 'vitest';
import { audit, openWorkload } from '../support/audit.ts';
import { Clients, type RunResult } from '../support/clients.ts';
import { openMarket } from '../support/market.ts';
import { NatsServer } from '../support/nats-server.ts';
import { query } from '../support/query.ts';
import { chooseSeed } from '../support/random.ts';
import { expectAllRelayed } from '../support/relay-audit.ts';
import { ok, receipt } from '../support/resources.ts';
import { adminApiKey, serveReplica, serveReplicas, type ServedReplica } from '../support/served-replicas.ts';
import { until } from '../support/until.ts';
import { planWorkload } from '../support/workload.ts';

const operations = 1500;

/** Runs the mixed load, and does harm when a third and two thirds of it are done. */
async function loadWith(
  replicas: readonly ServedReplica[],
  { seed, harm }: { seed: number; harm: readonly (() => Promise<unknown>)[] },
): Promise<RunResult> {
  const done: Promise<unknown>[] = [];
  const run = await Clients.run({
    operations: planWorkload({ seed, operations }),
    urls: replicas.map(({ url }) => url),
    token: adminApiKey,
    clients: 16,
    seed,
    onProgress: (count) => {
      const next = harm[done.length];
      if (next !== undefined && count >= ((done.length + 1) * operations) / (harm.length + 1))
        done.push(next());
    },
  });
  expect(done).toHaveLength(harm.length);
  await Promise.all(done);
  return run;
}

test('every operation is in the stream once and in order, though the broker is stopped, and killed, under load', async () => {
  const server = await NatsServer.start();
  const { database, replicas } = await serveReplicas(3, { NATS_URL: server.url });
  const [first] = replicas;
  if (first === undefined) throw new Error('there are three');
  await openWorkload(first.api, operations);
  const seed = chooseSeed('relay and broker');
  const run = await loadWith(replicas, {
    seed,
    harm: [
      async () => {
        await server.stop();
        await server.start();
      },
      async () => {
        await server.kill();
        await server.start();
      },
    ],
  });
  // Callers have not noticed.
  expect(run.failures).toEqual({});
  expect(run.unanswered).toBe(0);
  const count = await expectAllRelayed(server, { databaseUrl: database.url });
  expect(count).toBeGreaterThan(operations / 2);
  expect(await parked(database.url)).toEqual([]);
}, 120_000);

test('the same while the replica that relays is killed, twice', async () => {
  const server = await NatsServer.start();
  const { database, replicas } = await serveReplicas(3, { NATS_URL: server.url });
  const [survivor] = replicas;
  if (survivor === undefined) throw new Error('there are three');
  await openWorkload(survivor.api, operations);
  const victims = replicas.slice(1);
  const kill = async (): Promise<unknown> => {
    const owner = await ownerOf(database.url);
    const victim = victims.find(({ pid }) => owner?.endsWith(`:${pid}`)) ?? victims[0];
    if (victim === undefined) throw new Error('there are two');
    victims.splice(victims.indexOf(victim), 1);
    victim.kill('SIGKILL');
    return await victim.ended;
  };
  const seed = chooseSeed('relay and replicas');
  const run = await loadWith(replicas, { seed, harm: [kill, kill] });
  await audit(survivor.api, { run, operations, databaseUrl: database.url });
  await expectAllRelayed(server, { databaseUrl: database.url });
}, 120_000);

test('a replica is killed between the broker’s answer and its commit: the turn is repeated, and adds nothing', async () => {
  const server = await NatsServer.start();
  const { database, ...victim } = await serveReplica({ env: { NATS_URL: server.url } });
  await openMarket(victim.api);
  receipt(await victim.api.grant('alice', { gold: 1 }));
  await expectAllRelayed(server, { databaseUrl: database.url });

  // From now on a turn that has all its answers waits, at its commit, for whoever has this lock.
  await query(
    database.url,
    `create function wait() returns trigger language plpgsql as
     $$ begin perform pg_advisory_xact_lock_shared(1); return null; end $$`,
  );
  await query(
    database.url,
    `create constraint trigger wait after update of position on consumers deferrable initially deferred
     for each row when (new.name = 'relay' and new.position > old.position) execute function wait()`,
  );
  const barrier = new pg.Client({ connectionString: database.url });
  await barrier.connect();
  await barrier.query('select pg_advisory_lock(1)');
  for (let i = 0; i < 20; i += 1) receipt(await victim.api.grant('alice', { gold: 1 }));
  const waiting = async (): Promise<number> => {
    const { rows } = await query(
      database.url,
      "select 1 from pg_locks where locktype = 'advisory' and mode = 'ShareLock' and not granted and objid = 1",
    );
    return rows.length;
  };
  await until('the turn waits at its commit', async () => (await waiting()) === 1);
  victim.kill('SIGKILL');
  await victim.ended;
  await until('the database has noticed', async () => (await waiting()) === 0, 20_000);

  const { api } = await serveReplica({ database, env: { NATS_URL: server.url } });
  await until('the turn of another replica waits at its commit', async () => (await waiting()) === 1);
  await barrier.end();
  receipt(await api.grant('alice', { gold: 1 }));
  expect(await expectAllRelayed(server, { databaseUrl: database.url })).toBe(22);
}, 60_000);

test('a replica serves while NATS is away, says so, and relays all when it comes', async () => {
  const server = await NatsServer.start();
  await server.stop();
  const { api, database } = await serveReplica({ env: { NATS_URL: server.url } });
  await openMarket(api);
  for (let i = 0; i < 10; i += 1) receipt(await api.grant('alice', { gold: 1 }));
  ok(await api.get('/readyz'));
  expect((await api.get('/health')).body).toMatchObject({
    status: 'failing',
    components: { relay: { status: 'failing', reason: 'not connected' } },
  });
  await server.start();
  expect(await expectAllRelayed(server, { databaseUrl: database.url })).toBe(10);
  expect((await api.get('/health')).body).toMatchObject({
    status: 'ok',
    components: { relay: { status: 'ok', reason: null } },
  });
  expect(await parked(database.url)).toEqual([]);
}, 60_000);

test('an operation that is too large for the broker is parked, and does not stop the rest', async () => {
  const server = await NatsServer.start('max_payload: 2000');
  const { api, database } = await serveReplica({ env: { NATS_URL: server.url } });
  await openMarket(api);
  receipt(await api.grant('alice', { gold: 1 }));
  const gold = [{ asset: 'gold', quantity: 1 }];
  // A receipt of more than 1,500 bytes, in a broker that takes 2,000 with the headers.
  const body = { account: 'alice', assets: gold, reason: '€'.repeat(500) };
  const large = receipt(await api.post('/v1/grants', body));
  receipt(await api.grant('alice', { gold: 1 }));
  await until('it is parked', async () => (await parked(database.url)).length === 1);
  const [found] = await parked(database.url);
  expect(found).toMatchObject({ consumer: 'relay', operation: large.id });
  expect(found?.['reason']).toContain('NATS takes messages of 2000 with their headers');
  await expectAllRelayed(server, { databaseUrl: database.url, except: [large.id] });
});

test('without NATS_URL nothing is relayed, and nobody connects', async () => {
  const { api, database } = await serveReplica();
  await openMarket(api);
  receipt(await api.grant('alice', { gold: 1 }));
  const { components } = ok<{ components: Record<string, unknown> }>(await api.get('/health'));
  expect(components).not.toHaveProperty('relay');
  const { rows } = await query(database.url, "select name from consumers where name = 'relay'");
  expect(rows).toEqual([]);
});

test('a stop closes the connection, also one that is just being made', async () => {
  const server = await NatsServer.start('http: "127.0.0.1:-1"');
  const connectedReplica = await serveReplica({ env: { NATS_URL: server.url } });
  await until('it is connected', async () => (await health(connectedReplica)) === 'ok');
  expect(await connectedReplica.stop()).toEqual({ code: 0, signal: null });

  // It takes connections, and says nothing.
  const silent = createServer((socket) => socket.resume().on('error', () => undefined));
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as { port: number };
  const came = once(silent, 'connection');
  const waiting = await serveReplica({ env: { NATS_URL: `nats://127.0.0.1:${port}` } });
  await came;
  expect(await waiting.stop()).toEqual({ code: 0, signal: null });
  const closed = once(silent, 'close');
  silent.close();
  await closed;
});

async function health({ api }: ServedReplica): Promise<unknown> {
  const { body } = await api.get('/health');
  return (body as { components: { relay: { status: string } } }).components.relay.status;
}

async function ownerOf(databaseUrl: string): Promise<string | undefined> {
  const { rows } = await query(databaseUrl, "select owner from consumers where name = 'relay'");
  return rows[0]?.['owner'] as string | undefined;
}

async function parked(databaseUrl: string): Promise<Record<string, unknown>[]> {
  const { rows } = await query(databaseUrl, 'select consumer, operation, reason from parked_operations');
  return rows;
}
