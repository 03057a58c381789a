import { afterEach, expect, test } from 'vitest';
import { Api } from '../support/api.ts';
import { callerWith, makeKey } from '../support/callers.ts';
import { createTestDatabase } from '../support/database.ts';
import { JudgingEndpoint } from '../support/judging-endpoint.ts';
import { KeyServer } from '../support/key-server.ts';
import { openMarket } from '../support/market.ts';
import { NatsServer } from '../support/nats-server.ts';
import { bareEntry, ObservedProcess, type Remains } from '../support/observed-process.ts';
import { query } from '../support/query.ts';
import { Random } from '../support/random.ts';
import { expectAllRelayed } from '../support/relay-audit.ts';
import { ok, receipt } from '../support/resources.ts';
import { adminApiKey, entry, replicaEnv } from '../support/served-replicas.ts';
import { SilentServer } from '../support/silent-server.ts';
import { StreamFollower } from '../support/stream-follower.ts';
import { until } from '../support/until.ts';

const nothing: Remains = { left: [], active: [], sockets: [], children: [] };

/**
 * Timers of libraries that keep no process alive: one writes the log to its end, the others would have cut short what was
 * done in time.
 */
const ofLibraries = [
  /^Timeout .*\/sonic-boom\//,
  /^Timeout at Object\.gracefulShutdown .*\/graphile-worker\//,
  /^Timeout at reload .*\/jose\//,
];

const bareEnv = { PATH: process.env['PATH'] };
const closing = new Set<() => unknown>();

afterEach(async () => {
  for (const close of closing) await close();
  closing.clear();
});

test('a replica that has done all that a replica does leaves no listener, timer, connection or child when it stops, and ends by itself', async () => {
  const keys = await KeyServer.start();
  closing.add(() => keys.close());
  const nats = await NatsServer.start();
  const prompt = await JudgingEndpoint.start(new Random(1));
  closing.add(() => prompt.close());
  const silent = await SilentServer.start();
  closing.add(() => silent.close());
  const database = await createTestDatabase();
  const env = replicaEnv(database.url, {
    ...keys.env,
    NATS_URL: nats.url,
    WEBHOOK_ALLOW_PRIVATE: 'true',
    WEBHOOK_TIMEOUT: '3s',
  });
  const replica = await ObservedProcess.start(entry, { env });
  const api = await Api.of(replica.url, adminApiKey);
  closing.add(() => api.close());
  await openMarket(api);
  const rule = { on: { type: 'grant' }, grant: [{ asset: 'xp', quantity: 1 }] };
  ok(await api.put('/v1/reward-rules/daily', rule), 201);
  for (const { url } of [prompt, silent]) {
    const { secret } = ok<{ secret: string }>(await api.post('/v1/webhooks', { url }), 201);
    if (url === prompt.url) prompt.secret = secret;
  }
  const follower = await StreamFollower.open(replica.url);
  const { secret } = await makeKey(api, { name: 'shop', role: 'service' });
  receipt(await callerWith(api, secret).grant('alice', { gold: 10 }));
  ok(await callerWith(api, await keys.tokenOf('alice')).inventory('alice'));
  expect(keys.asked()).toBe(1);
  ok(await api.post('/v1/verifications', {}), 201);
  ok(await api.get('/health'));
  // The grant, and what it earned.
  await follower.seen(2);
  await until('both are delivered', () => prompt.acknowledged.size === 2);
  await until('a delivery is under way', () => silent.waiting > 0);
  expect(await expectAllRelayed(nats, { databaseUrl: database.url })).toBe(2);

  const remains = await replica.stop();
  expect({
    ...remains,
    left: remains.left.filter((line) => !ofLibraries.some((each) => each.test(line))),
  }).toEqual(nothing);
  // It stands still, so what is gone was closed, and not cut by its end.
  expect(await follower.over).toBe('ended');
  const { rows } = await query(
    database.url,
    `select application_name from pg_stat_activity
     where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()`,
  );
  expect(rows).toEqual([]);
  expect(await prompt.connections()).toBe(0);
  expect(await replica.release()).toEqual({ code: 0, signal: null, byItself: true });
}, 60_000);

test('in a process that does nothing, nothing is found', async () => {
  const bare = await ObservedProcess.start(bareEntry, { env: bareEnv });
  expect(await bare.stop()).toEqual(nothing);
  expect(await bare.release()).toEqual({ code: 0, signal: null, byItself: true });
});

test('whatever is left is found: a listener, a connection, a timer, a child', async () => {
  const planted = new URL('../support/planted-leaks-process.ts', import.meta.url).href;
  const leaking = await ObservedProcess.start(bareEntry, { env: bareEnv, preloaded: [planted] });
  const { left, active, sockets, children } = await leaking.stop();
  const kinds = left.map((line) => line.split(' ')[0]);
  expect(kinds.toSorted()).toEqual(['PROCESSWRAP', 'TCPSERVERWRAP', 'TCPWRAP', 'TCPWRAP', 'Timeout']);
  expect(left.filter((line) => line.includes('planted-leaks-process.ts'))).toHaveLength(3);
  expect(active).toContain('TCPServerWrap');
  expect(sockets).toHaveLength(3);
  expect(children).toHaveLength(1);
  for (const child of children) process.kill(Number(child), 'SIGKILL');
});
