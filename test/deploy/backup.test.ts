import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startReplica, type ReplicaProcess } from '../../src/lifecycle/replica-process.ts';
import { migrateToLatest } from '../../src/repository/postgres/migrate.ts';
import { Api } from '../support/api.ts';
import { openWorkload, readFeed } from '../support/audit.ts';
import { Clients } from '../support/clients.ts';
import { CommandLine } from '../support/command-line.ts';
import {
  createPostgresHome,
  DebianPostgres,
  makeFolder,
  runBlock,
  type PostgresHome,
} from '../support/debian-postgres.ts';
import { blocksOf } from '../support/document-blocks.ts';
import { query } from '../support/query.ts';
import { chooseSeed } from '../support/random.ts';
import { ok, type Page, type Receipt } from '../support/resources.ts';
import { adminApiKey, entry, replicaEnv } from '../support/served-replicas.ts';
import { until } from '../support/until.ts';
import { planWorkload, type PlannedOperation } from '../support/workload.ts';

/* PRODUCTION.md, "Backup and point-in-time recovery", on Debian's PostgreSQL 15. */
const operations = 1200;

let home: PostgresHome;
const servers: DebianPostgres[] = [];
const replicas: ReplicaProcess[] = [];

beforeEach(async () => {
  home = await createPostgresHome();
});

afterEach(async () => {
  const ends = await Promise.all(replicas.splice(0).map(async (replica) => await replica.stop()));
  await Promise.all(servers.splice(0).map(async (server) => await server.stop()));
  await home.remove();
  expect(ends).toEqual(ends.map(() => ({ code: 0, signal: null })));
});

async function serve(databaseUrl: string): Promise<Api> {
  const replica = await startReplica({ entry, env: replicaEnv(databaseUrl) });
  replicas.push(replica);
  return await Api.of(replica.url, adminApiKey);
}

async function verifies(databaseUrl: string): Promise<boolean> {
  const verify = new CommandLine(['verify'], { env: { DATABASE_URL: databaseUrl } });
  return (await verify.ended).code === 0;
}

function send(api: Api, { path: route, body, key }: PlannedOperation): ReturnType<Api['post']> {
  return api.post(route, body, { key });
}

test('a base backup and the archive bring back exactly what was acknowledged before a moment, and a dump keeps feed and keys', async () => {
  const seed = chooseSeed('backup');
  const blocks = (await blocksOf('backup')).map(({ code }) => code);
  const [archive, baseBackup, switchWal, restore, movePosition, dump] = blocks;
  if (dump === undefined || blocks.length !== 6) throw new Error('the document has other blocks');
  const primary = await DebianPostgres.create(home, 'primary');
  servers.push(primary);
  const restored = await DebianPostgres.on(home, 'restored');
  const archiveFolder = await makeFolder(home, 'archive');
  const env = {
    PRIMARY: primary.url('postgres'),
    ARCHIVE: archiveFolder,
    BACKUP: path.join(home.folder, 'base'),
    RESTORED: restored.dataFolder,
    RESTORED_DATABASE: restored.url('holdfast'),
    DUMP: path.join(home.folder, 'holdfast.dump'),
    COPY: primary.url('holdfast_copy'),
  };
  const carryOut = async (
    block: string | undefined,
    more: Readonly<Record<string, string>> = {},
  ): Promise<string> => await runBlock(home, block ?? '', { ...env, ...more });

  await primary.start();
  await carryOut(archive);
  await primary.stop();
  await primary.start();
  await query(primary.url('postgres'), 'create database holdfast');
  await migrateToLatest({ connectionString: primary.url('holdfast') });
  const api = await serve(primary.url('holdfast'));
  await openWorkload(api, operations);

  // Under load all along: the base backup at a quarter of it, the moment at a half.
  const planned = planWorkload({ seed, operations }).map((operation) => ({ ...operation, doubled: false }));
  let backup: Promise<string> | undefined;
  let moment: { readonly answered: number; readonly at: Promise<string> } | undefined;
  const run = await Clients.run({
    operations: planned,
    urls: replicas.map(({ url }) => url),
    token: adminApiKey,
    clients: 16,
    seed,
    onProgress: (done) => {
      if (done >= operations / 4) backup ??= carryOut(baseBackup);
      if (done >= operations / 2) moment ??= { answered: done, at: clock(primary.url('postgres')) };
    },
  });
  expect(await backup).toMatch(/backup successfully verified/);
  if (moment === undefined) throw new Error('there was a moment');
  const point = await moment.at;
  const end = await lastCursor(api);

  const last = (await carryOut(switchWal)).match(/[0-9A-F]+\/[0-9A-F]+/)?.[0];
  await until('the last segment is archived', async () => {
    const name = `select pg_walfile_name($1::pg_lsn) <= last_archived_wal as archived from pg_stat_archiver`;
    return (await query(primary.url('postgres'), name, [last])).rows[0]?.['archived'] === true;
  });
  await carryOut(restore, { POINT: point });
  servers.push(restored);
  await restored.start();
  await until('it has become a server of its own', async () => {
    const { rows } = await query(restored.url('postgres'), 'select pg_is_in_recovery() as recovering');
    return rows[0]?.['recovering'] === false;
  });
  await carryOut(movePosition);
  expect(await verifies(restored.url('holdfast'))).toBe(true);

  const kept = new Set(
    (await query(restored.url('holdfast'), 'select idempotency_key as key from operations')).rows.map(
      ({ key }) => key,
    ),
  );
  const accepted = (operation: PlannedOperation): Receipt | undefined => {
    const outcome = run.outcomes.get(operation);
    return outcome?.kind === 'accepted' ? outcome.receipt : undefined;
  };
  // The outcomes are in the order in which they became known.
  const before = [...run.outcomes.keys()]
    .slice(0, moment.answered)
    .filter((operation) => accepted(operation) !== undefined);
  const later = planned.filter((operation) => Date.parse(accepted(operation)?.at ?? '') > Date.parse(point));
  expect(before.length).toBeGreaterThan(operations / 8);
  expect(later.length).toBeGreaterThan(operations / 8);
  expect(before.filter(({ key }) => !kept.has(key))).toEqual([]);
  expect(later.filter(({ key }) => kept.has(key))).toEqual([]);

  // What was acknowledged before replays to the letter; what was undone is done anew.
  const again = await serve(restored.url('holdfast'));
  const [first] = before;
  const [undone] = later.filter(({ path: route }) => route === '/v1/grants');
  if (first === undefined || undone === undefined) throw new Error('there are such operations');
  const replay = await send(again, first);
  expect(replay.headers['idempotency-replayed']).toBe('true');
  expect(replay.body).toEqual(accepted(first));
  const anew = await send(again, undone);
  expect(anew.status).toBe(201);
  expect(anew.headers['idempotency-replayed']).toBeUndefined();
  // A follower that had read to the end of the undone history sees what has happened since.
  const seen = ok<Page<Receipt>>(await again.get(`/v1/operations?after=${end}`)).data;
  expect(seen.map(({ id }) => id)).toEqual([(anew.body as Receipt).id]);

  await carryOut(dump);
  const copy = await serve(primary.url('holdfast_copy'));
  expect(await readFeed(copy)).toEqual(await readFeed(again));
  expect(await lastCursor(copy)).toBe(await lastCursor(again));
  expect((await send(copy, first)).headers['idempotency-replayed']).toBe('true');
  const next = await copy.grant('after.the.dump', { gold: 1 });
  const after = ok<Page<Receipt>>(await copy.get(`/v1/operations?after=${await lastCursor(again)}`)).data;
  expect(after.map(({ id }) => id)).toEqual([(next.body as Receipt).id]);
  expect(await verifies(primary.url('holdfast_copy'))).toBe(true);
  for (const each of [api, again, copy]) each.close();
});

/** The server's, to the microsecond. */
async function clock(url: string): Promise<string> {
  return String((await query(url, 'select clock_timestamp()::text as now')).rows[0]?.['now']);
}

async function lastCursor(api: Api): Promise<string> {
  let cursor = '';
  for (;;) {
    const after = cursor === '' ? '' : `&after=${cursor}`;
    const page = ok<Page<Receipt>>(await api.get(`/v1/operations?limit=200${after}`));
    cursor = page.nextCursor ?? cursor;
    if (page.data.length < 200) return cursor;
  }
}
