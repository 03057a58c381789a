import { expect, test } from 'vitest';
import { version } from '../../src/version.ts';
import { DatabaseProxy } from '../support/database-proxy.ts';
import { createTestDatabase } from '../support/database.ts';
import { ok, receipt } from '../support/resources.ts';
import { holdAccount } from '../support/row-lock.ts';
import { serveMarket } from '../support/served-market.ts';
import { adminApiKey, serveReplica } from '../support/served-replicas.ts';
import { until } from '../support/until.ts';

interface Health {
  readonly status: string;
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly components: {
    readonly database: { readonly latencyMs: number };
    readonly lanes: { readonly waitingAlone: number };
    readonly catalog: { readonly version: number };
  };
}

test('/health has the figures of each part of a replica that is well', async () => {
  const { api } = await serveReplica({ env: { DB_MAX_CONNS: '12', LANES: '3', PATIENT_WORKERS: '2' } });
  const health = ok<Health>(await api.get('/health'));
  expect(health).toMatchObject({
    status: 'ok',
    version,
    components: {
      database: {
        status: 'ok',
        reason: null,
        transactions: { inUse: 0, waiting: 0, max: 6 },
        reads: { waiting: 0, max: 2 },
        background: { waiting: 0, max: 4 },
      },
      lanes: { status: 'ok', lanes: 3, inFlight: 0, inFlightMax: 10_000, queued: 0, waitingAlone: 0 },
      backgroundTasks: { status: 'ok', chores: { runningMax: 16 } },
      jobs: { status: 'ok', failed: 0 },
      catalog: { status: 'ok' },
    },
  });
  expect(health.uptimeSeconds).toBeGreaterThanOrEqual(0);
  expect(health.components.database.latencyMs).toBeGreaterThan(0);
});

test('anyone may ask, and learns nothing that is not for anyone', async () => {
  const database = await createTestDatabase();
  const proxy = await DatabaseProxy.before(database.url);
  const { api } = await serveReplica({ database, env: { DATABASE_URL: proxy.url } });
  const anyone = { authorization: undefined };
  ok(await api.get('/startupz', anyone));
  ok(await api.get('/health', anyone));
  proxy.cut();
  const { status, headers, text } = await api.get('/health', anyone);
  proxy.mend();
  expect(status).toBe(503);
  expect(headers['cache-control']).toBe('no-store');
  const { hostname, port, username, password, pathname } = new URL(proxy.url);
  for (const secret of [hostname, port, username, password, pathname.slice(1), adminApiKey].filter(Boolean))
    expect(text).not.toContain(secret);
});

test('/health is 503 while the database is out of reach, and says that it is that; /startupz does not mind', async () => {
  const database = await createTestDatabase();
  const proxy = await DatabaseProxy.before(database.url);
  const { api } = await serveReplica({ database, env: { DATABASE_URL: proxy.url } });
  try {
    proxy.cut();
    expect(await api.get('/health')).toMatchObject({
      status: 503,
      body: {
        status: 'failing',
        components: {
          database: { status: 'failing', reason: 'the database can’t be reached' },
          lanes: { status: 'ok' },
        },
      },
    });
    expect(ok(await api.get('/startupz'))).toEqual({ status: 'started' });
    proxy.mend();
    await until('it is well again', async () => (await api.get('/health')).status === 200);
  } finally {
    proxy.mend();
  }
});

test('/health counts what waits, where it waits, and fails when no more may', async () => {
  const { api, database } = await serveMarket({ env: { QUEUE_MAX: '3' } });
  receipt(await api.grant('held', { gold: 1 }));
  const { version: catalogVersion } = ok<Health>(await api.get('/health')).components.catalog;
  expect(catalogVersion).toBeGreaterThan(0);
  const lock = await holdAccount(database.url, 'held');
  const grants = Array.from({ length: 3 }, () => api.grant('held', { gold: 1 }));
  await until('all of them wait alone', async () => {
    const { components } = (await api.get('/health')).body as Health;
    return components.lanes.waitingAlone === 3;
  });
  expect(await api.get('/health')).toMatchObject({
    status: 503,
    body: {
      status: 'failing',
      components: {
        database: { status: 'ok', transactions: { inUse: 1 } },
        lanes: { status: 'failing', inFlight: 3, inFlightMax: 3, queued: 0, waitingAlone: 3 },
        catalog: { status: 'ok', version: catalogVersion },
      },
    },
  });
  await lock.release();
  for (const grant of grants) receipt(await grant);
  const after = ok<Health>(await api.get('/health'));
  expect(after.components.lanes).toMatchObject({ status: 'ok', inFlight: 0, waitingAlone: 0 });
});

test('/health says that a replica is stopping, while /startupz stays', async () => {
  const replica = await serveReplica({ env: { SHUTDOWN_GRACE: '5s' } });
  replica.kill('SIGTERM');
  await until('it says so', async () => {
    const { status, body } = await replica.api.get('/health');
    return status === 503 && (body as Health).status === 'stopping';
  });
  expect(ok(await replica.api.get('/startupz'))).toEqual({ status: 'started' });
  replica.api.close();
  expect(await replica.ended).toEqual({ code: 0, signal: null });
});
