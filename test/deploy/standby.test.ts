import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startReplica, type ReplicaProcess } from '../../src/lifecycle/replica-process.ts';
import { migrateToLatest } from '../../src/repository/postgres/migrate.ts';
import { Api } from '../support/api.ts';
import { audit, openWorkload, tally } from '../support/audit.ts';
import { Clients, type RunResult } from '../support/clients.ts';
import { CommandLine } from '../support/command-line.ts';
import {
  createPostgresHome,
  DebianPostgres,
  runBlock,
  type PostgresHome,
} from '../support/debian-postgres.ts';
import { blocksOf } from '../support/document-blocks.ts';
import { query } from '../support/query.ts';
import { chooseSeed } from '../support/random.ts';
import { adminApiKey, entry, replicaEnv } from '../support/served-replicas.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';
import { planWorkload } from '../support/workload.ts';

/*
 * DEPLOYMENT.md, "PostgreSQL that survives its machine", on Debian's PostgreSQL 15. What the replicas connect to is a
 * proxy, in the place of an address that moves; another one is the network between the two servers.
 */
const operations = 1500;
const replicationPassword = 'for-replication-only';

let home: PostgresHome;
let primary: DebianPostgres;
let standby: DebianPostgres;
let address: TcpProxy;
let betweenServers: TcpProxy;
let replicas: ReplicaProcess[];
let documented: readonly string[];

beforeEach(async () => {
  documented = (await blocksOf('standby')).map(({ code }) => code);
  home = await createPostgresHome();
  primary = await DebianPostgres.create(home, 'primary', { wal_level: 'replica' });
  replicas = [];
  await primary.start();
  address = await TcpProxy.before(primary.url('holdfast'));
  betweenServers = await TcpProxy.before(primary.url('postgres'));
  await query(primary.url('postgres'), 'create database holdfast');
});

afterEach(async () => {
  const ends = await Promise.all(replicas.map(async (replica) => await replica.stop()));
  await Promise.all([address.close(), betweenServers.close()]);
  await Promise.all([primary.stop(), standby.stop()]);
  await home.remove();
  expect(ends).toEqual(ends.map(() => ({ code: 0, signal: null })));
});

/** The document's blocks, by what they do. */
async function carryOut(
  what: 'role' | 'copy' | 'wait for it' | 'promote',
  standbyName: string,
): Promise<string> {
  const block = documented[['role', 'copy', 'wait for it', 'promote'].indexOf(what)];
  if (documented.length !== 4 || block === undefined) throw new Error('the document has other blocks');
  const through = new URL(betweenServers.url(primary.url('postgres')));
  return await runBlock(home, block, {
    PRIMARY: primary.url('postgres'),
    PRIMARY_HOST: through.hostname,
    PRIMARY_PORT: through.port,
    STANDBY: standby.url('postgres'),
    STANDBY_NAME: standbyName,
    STANDBY_DATA: standby.dataFolder,
    REPLICATION_PASSWORD: replicationPassword,
  });
}

async function followers(): Promise<unknown> {
  const { rows } = await query(
    primary.url('postgres'),
    'select application_name as name, state, sync_state from pg_stat_replication',
  );
  return rows;
}

/** A standby that streams, and for whom commits wait if told so. */
async function setUpStandby(name: string, { synchronous }: { synchronous: boolean }): Promise<void> {
  standby = await DebianPostgres.on(home, name);
  await carryOut('copy', name);
  await standby.start();
  const streams = (sync: string): { name: string; state: string; sync_state: string }[] => [
    { name, state: 'streaming', sync_state: sync },
  ];
  await until(
    'the standby streams',
    async () => JSON.stringify(await followers()) === JSON.stringify(streams('async')),
  );
  if (!synchronous) return;
  expect(await carryOut('wait for it', name)).toMatch(/streaming/);
  await until(
    'commits wait for it',
    async () => JSON.stringify(await followers()) === JSON.stringify(streams('sync')),
  );
}

async function serve(): Promise<Api> {
  const databaseUrl = address.url(primary.url('holdfast'));
  await migrateToLatest({ connectionString: databaseUrl });
  const env = replicaEnv(databaseUrl, { DB_ACQUIRE_TIMEOUT: '2s', RETRY_MAX: '3' });
  for (let i = 0; i < 3; i += 1) replicas.push(await startReplica({ entry, env }));
  return await Api.of(replicas[0]?.url ?? '', adminApiKey);
}

/** From now on the standby gets nothing more, and nobody has noticed. */
function cutOff(): void {
  betweenServers.traffic = { answer: () => null };
}

/** The machine of the primary is gone, and an operator does as the document says. */
async function failOver(): Promise<void> {
  await primary.destroy();
  expect(await carryOut('promote', 'unused')).toMatch(/^\s*t$/m);
  address.retarget(standby.url('postgres'));
  address.cutAll();
}

/** Runs the load, and does harm once, when so many operations are done. */
async function load(
  seed: number,
  moments: readonly { readonly done: number; readonly harm: () => Promise<void> }[],
): Promise<RunResult> {
  const begun: Promise<void>[] = [];
  const run = await Clients.run({
    // None is sent twice at once: where operations are lost, the two answers may be told apart already there.
    operations: planWorkload({ seed, operations }).map((planned) => ({ ...planned, doubled: false })),
    urls: replicas.map(({ url }) => url),
    token: adminApiKey,
    clients: 32,
    seed,
    onProgress: (done) => {
      const next = moments[begun.length];
      if (next !== undefined && done >= next.done) begun.push(next.harm());
    },
  });
  await Promise.all(begun);
  expect(begun.length).toBe(moments.length);
  return run;
}

async function verifies(): Promise<boolean> {
  const verify = new CommandLine(['verify'], { env: { DATABASE_URL: standby.url('holdfast') } });
  return (await verify.ended).code === 0;
}

describe('the machine of the primary is lost under load', () => {
  test('with a synchronous standby every acknowledged operation is there once, and a new standby follows', async () => {
    const seed = chooseSeed('synchronous standby');
    standby = await DebianPostgres.on(home, 'standby_b');
    await carryOut('role', 'unused');
    await setUpStandby('standby_b', { synchronous: true });
    const api = await serve();
    await openWorkload(api, operations);
    let waiting = 0;
    const run = await load(seed, [
      {
        done: operations / 3,
        harm: async () => {
          cutOff();
          const waits = `select count(*)::int as waiting from pg_stat_activity where wait_event = 'SyncRep'`;
          await until('commits wait for the standby, so nobody is answered', async () => {
            waiting = Number((await query(primary.url('postgres'), waits)).rows[0]?.['waiting']);
            return waiting > 0;
          });
          await failOver();
        },
      },
    ]);

    expect(waiting).toBeGreaterThan(0);
    expect(tally(run)['accepted']).toBeGreaterThan(operations / 3);
    await audit(api, { run, operations, databaseUrl: standby.url('holdfast') });
    expect(await verifies()).toBe(true);

    // The promoted one is the primary now, and gets a standby of its own by the same blocks.
    primary = standby;
    betweenServers.traffic = {};
    betweenServers.retarget(primary.url('postgres'));
    await setUpStandby('standby_c', { synchronous: true });
    expect((await api.grant('afterwards', { gold: 1 })).status).toBe(201);
    api.close();
  });

  test('with an asynchronous one acknowledged operations are lost, or the test above proves nothing', async () => {
    const seed = chooseSeed('asynchronous standby');
    standby = await DebianPostgres.on(home, 'standby_b');
    await carryOut('role', 'unused');
    await setUpStandby('standby_b', { synchronous: false });
    const api = await serve();
    await openWorkload(api, operations);
    const run = await load(seed, [
      {
        done: operations / 3,
        harm: async () => {
          cutOff();
          await Promise.resolve();
        },
      },
      { done: (2 * operations) / 3, harm: failOver },
    ]);

    const accepted = [...run.outcomes].filter(([, { kind }]) => kind === 'accepted');
    const { rows } = await query(standby.url('holdfast'), 'select idempotency_key as key from operations');
    const kept = new Set(rows.map(({ key }) => key));
    const lost = accepted.filter(([{ key }]) => !kept.has(key));
    expect(lost.length).toBeGreaterThan(operations / 20);
    await expect(audit(api, { run, operations, databaseUrl: standby.url('holdfast') })).rejects.toThrow();
    // What is left is sound: only who remembers what was acknowledged can tell.
    expect(await verifies()).toBe(true);
    api.close();
  });
});
