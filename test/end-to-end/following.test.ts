import { afterEach, expect, test } from 'vitest';
import { openWorkload, replay } from '../support/audit.ts';
import { Clients } from '../support/clients.ts';
import { openMarket } from '../support/market.ts';
import { makeKey } from '../support/callers.ts';
import { createTestDatabase } from '../support/database.ts';
import { DatabaseProxy } from '../support/database-proxy.ts';
import { query } from '../support/query.ts';
import { chooseSeed, Random } from '../support/random.ts';
import { expectProblem, receipt } from '../support/resources.ts';
import { holdAccount } from '../support/row-lock.ts';
import { adminApiKey, serveReplica, serveReplicas, type ServedReplica } from '../support/served-replicas.ts';
import { StreamFollower, type StreamEvent } from '../support/stream-follower.ts';
import { until } from '../support/until.ts';
import { WorkerService } from '../support/worker-service.ts';
import { planWorkload } from '../support/workload.ts';

const open = new Set<StreamFollower>();

afterEach(() => {
  for (const follower of open) follower.close();
  open.clear();
});

async function follow(url: string, lastEventId?: string): Promise<StreamFollower> {
  const follower = await StreamFollower.open(url, { lastEventId });
  open.add(follower);
  return follower;
}

/** What is on record, in order. */
async function onRecord(databaseUrl: string): Promise<string[]> {
  const { rows } = await query(databaseUrl, 'select receipt::text from operations order by position');
  return rows.map((row) => String(row['receipt']));
}

function dataOf(events: readonly StreamEvent[]): string[] {
  return events.map(({ data }) => data);
}

test('three replicas under load: the follower of each sees the same, which is what is on record, row for row', async () => {
  const operations = 1500;
  const seed = chooseSeed('followers of three replicas');
  const { database, replicas } = await serveReplicas(3);
  const urls = replicas.map(({ url }) => url);
  const followers = await Promise.all(urls.map((url) => follow(url)));
  const [first] = replicas;
  if (first === undefined) throw new Error('there are three');
  await openWorkload(first.api, operations);
  await Clients.run({
    operations: planWorkload({ seed, operations }),
    urls,
    token: adminApiKey,
    clients: 32,
    seed,
  });
  const recorded = await onRecord(database.url);
  expect(recorded.length).toBeGreaterThan(operations / 3);
  for (const follower of followers) {
    await follower.seen(recorded.length);
    expect(dataOf(follower.events)).toEqual(recorded);
    // Each account's versions rise by one, each balance follows from the one before.
    replay(follower.receipts);
  }
  expect(new Set(followers.map(({ events }) => JSON.stringify(events))).size).toBe(1);
}, 120_000);

test('a follower that is cut at random, and goes on at any replica, misses nothing and sees nothing twice', async () => {
  const operations = 800;
  const seed = chooseSeed('a follower that is cut');
  const random = new Random(seed);
  const { database, replicas } = await serveReplicas(2);
  const urls = replicas.map(({ url }) => url);
  const [first] = replicas;
  if (first === undefined) throw new Error('there are two');
  await openWorkload(first.api, operations);
  const writers = { atIt: true };
  const written = Clients.run({
    operations: planWorkload({ seed, operations }),
    urls,
    token: adminApiKey,
    clients: 16,
    seed,
  }).finally(() => {
    writers.atIt = false;
  });
  const seen: StreamEvent[] = [];
  let rounds = 0;
  for (; writers.atIt; rounds += 1) {
    const follower = await follow(random.pick(urls), seen.at(-1)?.id);
    const enough = random.between(1, 60);
    await until('it saw enough', () => follower.events.length >= enough || !writers.atIt);
    follower.close();
    await follower.over;
    seen.push(...follower.events);
  }
  await written;
  const recorded = await onRecord(database.url);
  const last = await follow(random.pick(urls), seen.at(-1)?.id);
  await last.seen(recorded.length - seen.length);
  expect(dataOf([...seen, ...last.events])).toEqual(recorded);
  expect(rounds).toBeGreaterThan(3);
}, 120_000);

/** One that stays, and one that is told to stop in full flow. */
async function pair(env: Readonly<Record<string, string>> = {}): Promise<[ServedReplica, ServedReplica]> {
  const { replicas } = await serveReplicas(2, env);
  return replicas as [ServedReplica, ServedReplica];
}

test('SIGTERM in full flow: each stream ends between two events, and goes on elsewhere where it ended', async () => {
  const operations = 1200;
  const seed = chooseSeed('streams and a stop');
  const [leaving, staying] = await pair({ SHUTDOWN_GRACE: '200ms' });
  await openWorkload(staying.api, operations);
  const followers = await Promise.all(Array.from({ length: 5 }, async () => await follow(leaving.url)));
  let told = false;
  await Clients.run({
    operations: planWorkload({ seed, operations }),
    urls: [leaving.url, staying.url],
    token: adminApiKey,
    clients: 32,
    seed,
    onProgress: (done) => {
      if (told || done < operations / 3) return;
      told = true;
      leaving.kill('SIGTERM');
    },
  });
  expect(await leaving.ended).toEqual({ code: 0, signal: null });
  const recorded = await onRecord(staying.database.url);
  for (const follower of followers) {
    expect(await follower.over).toBe('ended');
    expect(follower.rest).toBe('');
    expect(follower.comments.at(-1)).toBe('go on elsewhere, from the last id');
    expect(follower.retries).toHaveLength(2);
    const next = await follow(staying.url, follower.lastEventId);
    await next.seen(recorded.length - follower.events.length);
    expect(dataOf([...follower.events, ...next.events])).toEqual(recorded);
  }
}, 120_000);

test('what is answered while the replica drains still reaches its followers before their streams end', async () => {
  const [leaving, staying] = await pair({ DB_LOCK_TIMEOUT: '8s', DB_STATEMENT_TIMEOUT: '9s' });
  await openMarket(staying.api);
  receipt(await staying.api.grant('held', { gold: 1 }));
  const before = await onRecord(staying.database.url);
  const follower = await follow(leaving.url);
  await follower.seen(before.length);
  const lock = await holdAccount(staying.database.url, 'held');
  const underWay = Array.from({ length: 10 }, (_, i) =>
    leaving.api.grant('held', { gold: 1 }, { key: `under-way-${i}` }),
  );
  await lock.waitedFor();
  leaving.kill('SIGTERM');
  // The replica takes nobody any more: it drains.
  await until('it does not listen', async () =>
    fetch(`${leaving.url}/livez`).then(
      () => false,
      () => true,
    ),
  );
  expect(follower.end).toBeNull();
  await lock.release();
  const answered = (await Promise.all(underWay)).map((answer) => receipt(answer).id);
  expect(await follower.over).toBe('ended');
  expect(follower.ids.slice(before.length).toSorted()).toEqual(answered.toSorted());
  expect(await leaving.ended).toEqual({ code: 0, signal: null });
});

test('followers that take nothing do not keep a replica from stopping in order', async () => {
  const [leaving, staying] = await pair();
  await openMarket(staying.api);
  await fillFeed(staying.database.url, 400);
  const stalled = await follow(leaving.url);
  stalled.pause();
  leaving.kill('SIGTERM');
  expect(await leaving.ended).toEqual({ code: 0, signal: null });
  stalled.resume();
  expect(await stalled.over).toBe('cut');
}, 60_000);

test('a follower that takes nothing is cut; the others and the requests go on meanwhile', async () => {
  const [replica] = await pair({ FEED_STREAM_STALL_TIMEOUT: '500ms', FEED_STREAMS_MAX: '2' });
  await openMarket(replica.api);
  await fillFeed(replica.database.url, 400);
  const stalled = await follow(replica.url);
  stalled.pause();
  const other = await follow(replica.url);
  const made = receipt(await replica.api.grant('meanwhile', { gold: 1 }));
  const recorded = await onRecord(replica.database.url);
  await other.seen(recorded.length);
  expect(other.ids.at(-1)).toBe(made.id);
  // Its place is free again: it was cut, though it has not noticed.
  let third: StreamFollower | null = null;
  await until('there is room', async () => {
    third = await follow(replica.url, other.lastEventId).catch(() => null);
    return third !== null;
  });
  stalled.resume();
  expect(await stalled.over).toBe('cut');
  expect(stalled.events.length).toBeLessThan(recorded.length);
  expect(other.end).toBeNull();
}, 60_000);

test('while the database is away a stream stays open, and then nothing is missing', async () => {
  const database = await createTestDatabase();
  const proxy = await DatabaseProxy.before(database.url);
  const replica = await serveReplica({
    database,
    env: {
      DATABASE_URL: proxy.url,
      FEED_STREAM_HEARTBEAT: '100ms',
      FEED_STREAM_STALL_TIMEOUT: '60s',
      DB_ACQUIRE_TIMEOUT: '500ms',
    },
  });
  await openMarket(replica.api);
  const other = await serveReplica({ database });
  const follower = await follow(replica.url);
  receipt(await replica.api.grant('before', { gold: 1 }));
  proxy.cut();
  receipt(await other.api.grant('meanwhile', { gold: 1 }));
  const heard = follower.comments.length;
  await until('it is told that nothing came', () => follower.comments.length > heard + 2);
  proxy.mend();
  receipt(await other.api.grant('after', { gold: 1 }));
  const recorded = await onRecord(database.url);
  await follower.seen(recorded.length);
  expect(dataOf(follower.events)).toEqual(recorded);
  expect(follower.end).toBeNull();
}, 60_000);

test('one that stays away for too long ends the stream, between two events', async () => {
  const database = await createTestDatabase();
  const proxy = await DatabaseProxy.before(database.url);
  const env = { DATABASE_URL: proxy.url, FEED_STREAM_HEARTBEAT: '100ms', FEED_STREAM_STALL_TIMEOUT: '300ms' };
  const replica = await serveReplica({ database, env });
  await openMarket(replica.api);
  const { secret } = await makeKey(replica.api, { name: 'follower', role: 'reader' });
  const follower = await StreamFollower.open(replica.url, { token: secret });
  open.add(follower);
  await follower.seen((await onRecord(database.url)).length);
  proxy.cut();
  expect(await follower.over).toBe('ended');
  expectProblem(await replica.api.get('/v1/operations/stream'), 503, 'database_unavailable');
  proxy.mend();
}, 60_000);

test('a handover ends the streams in order, and they go on at the replicas that have taken over', async () => {
  const service = await WorkerService.start({ WORKERS: '2', HANDOVER_GRACE: '1s' });
  const followers = await Promise.all(Array.from({ length: 6 }, async () => await follow(service.url)));
  await service.reload('the replacement is over');
  for (const follower of followers) {
    expect(await follower.over).toBe('ended');
    const next = await follow(service.url, follower.lastEventId);
    const made = receipt(await service.api.grant('handed.over', { gold: 1 }));
    await until('it goes on', () => next.ids.at(-1) === made.id);
    next.close();
  }
  expect(service.logged('a replica ended without having drained')).toEqual([]);
}, 120_000);

/** Puts so many operations into the feed that are 100 kB each: more than fits between a replica and who reads nothing. */
async function fillFeed(databaseUrl: string, operations: number): Promise<void> {
  await query(
    databaseUrl,
    `insert into operations (position, id, bucket, home, type, at, actor, receipt)
     select nextval('operation_position'), id, 0, '/listings/none', 'restock', now(), 'key:test',
       json_build_object('id', id, 'details', repeat('x', 100000))
     from (select gen_random_uuid() as id from generate_series(1, $1::int)) as new`,
    [operations],
  );
}
