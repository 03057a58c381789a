import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { LockTimeoutError, StatementTimeoutError, UnavailableError } from '../../src/repository/errors.ts';
import { PostgresRepository, type PostgresSettings } from '../../src/repository/postgres/repository.ts';
import * as statements from '../../src/repository/postgres/statements.ts';
import type { Tx } from '../../src/repository/repository.ts';
import { audit, openWorkload, readFeed, tally } from '../support/audit.ts';
import { Clients } from '../support/clients.ts';
import { CommandLine } from '../support/command-line.ts';
import type { TestDatabase } from '../support/database.ts';
import { blocksOf } from '../support/document-blocks.ts';
import { Gate } from '../support/gate.ts';
import { hold } from '../support/held-transaction.ts';
import { operationRecord } from '../support/operation-records.ts';
import { PrivateSystem } from '../support/private-system.ts';
import { databaseUrl, query } from '../support/query.ts';
import { chooseSeed } from '../support/random.ts';
import { postgresSettings } from '../support/repositories.ts';
import { ok, type Page, type Receipt } from '../support/resources.ts';
import { adminApiKey, replicaEnv, serveReplica } from '../support/served-replicas.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';
import { planWorkload } from '../support/workload.ts';

/** As large as `default_pool_size`. */
const serverConnectionsMax = 20;
const password = randomBytes(16).toString('hex');

let system: PrivateSystem;
/** With Holdfast's own role, which owns the database and is nothing else. */
let direct: string;
let pooled: string;
let maintenanceUrl: string;
const opened: PostgresRepository[] = [];

beforeAll(async () => {
  system = await PrivateSystem.with('pgbouncer');
  const { prefix } = inject('postgres');
  ({ maintenanceUrl } = inject('postgres'));
  const name = `${prefix}pooled`;
  await query(maintenanceUrl, `create role holdfast login password '${password}'`);
  await query(maintenanceUrl, `create database ${name} owner holdfast`);
  const { hostname, port, username, password: superPassword } = new URL(maintenanceUrl);
  direct = asHoldfast(databaseUrl(maintenanceUrl, name));
  pooled = `postgres://holdfast:${password}@127.0.0.1:6432/holdfast`;
  const env = {
    PGHOST: hostname,
    PGPORT: port,
    PGDATABASE: name,
    PGUSER: username,
    PGPASSWORD: superPassword,
  };
  for (const { code } of await blocksOf('pgbouncer')) await system.run(code, env);
  await migrate({ DATABASE_URL: pooled, DATABASE_DIRECT_URL: direct });
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((repository) => repository.close()));
});

afterAll(async () => {
  await (system as PrivateSystem | undefined)?.remove();
  // What the role owns goes first; the run takes it away if we do not get here.
  await query(maintenanceUrl, `drop database if exists ${new URL(direct).pathname.slice(1)} with (force)`);
  await query(maintenanceUrl, 'drop role holdfast');
});

test('migrations take DATABASE_DIRECT_URL where there is one', async () => {
  await expect(migrate({ DATABASE_URL: pooled, DATABASE_DIRECT_URL: direct })).resolves.toContain(
    'up to date',
  );
  const nowhere = 'postgres://holdfast@127.0.0.1:1/holdfast';
  await expect(migrate({ DATABASE_URL: pooled, DATABASE_DIRECT_URL: nowhere })).rejects.toThrow(
    /ECONNREFUSED/,
  );
});

test('operations of many clients over two replicas keep every sum exact, and who follows the feed misses nothing', async () => {
  const operations = 2000;
  const seed = chooseSeed('pgbouncer');
  const database: TestDatabase = { url: pooled, name: 'pooled', drop: () => Promise.resolve() };
  const env = {
    NODE_ENV: 'production',
    DATABASE_DIRECT_URL: direct,
    DB_NAMED_STATEMENTS: 'false',
    SHUTDOWN_GRACE: '0s',
    ADMIN_API_KEY: adminApiKey,
  };
  const replicas = [await serveReplica({ database, env }), await serveReplica({ database, env })];
  const [one, other] = replicas;
  if (one === undefined || other === undefined) throw new Error('there are two');
  await openWorkload(one.api, operations);

  const seen: Receipt[] = [];
  let cursor = '';
  const over = new AbortController();
  const follow = async (): Promise<number> => {
    const page = ok<Page<Receipt>>(await other.api.get(`/v1/operations?limit=200${cursor}`));
    seen.push(...page.data);
    cursor = `&after=${encodeURIComponent(String(page.nextCursor))}`;
    return page.data.length;
  };
  const following = (async () => {
    while (!over.signal.aborted) await follow();
    while ((await follow()) > 0);
  })();
  const run = await Clients.run({
    operations: planWorkload({ seed, operations }),
    urls: replicas.map(({ url }) => url),
    token: adminApiKey,
    clients: 32,
    seed,
  }).finally(() => {
    over.abort();
  });
  await following;

  expect(run).toMatchObject({ failures: {}, unanswered: 0 });
  expect(tally(run)['accepted']).toBeGreaterThan(operations / 3);
  await audit(one.api, { run, operations, databaseUrl: direct });
  expect(seen.map(({ id }) => id)).toEqual((await readFeed(one.api)).map(({ id }) => id));
  expect(await leftBehind()).toEqual([]);

  const verify = new CommandLine(['verify'], { env: replicaEnv(pooled, { DB_NAMED_STATEMENTS: 'false' }) });
  expect((await verify.ended).code, verify.output).toBe(0);
  expect(verify.output).toContain('Nothing is wrong with it.');
  for (const { code } of await Promise.all(replicas.map(async (replica) => await replica.stop())))
    expect(code).toBe(0);
});

test('what a session would keep is lost to another, which is why nothing of it is used', async () => {
  const [first, second] = [new pg.Client(pooled), new pg.Client(pooled)];
  await Promise.all([first.connect(), second.connect()]);
  try {
    // Nobody else is there: the connection that one has given back is the one that the next gets.
    await first.query(`set work_mem = '123kB'`);
    expect((await second.query<{ work_mem: string }>('show work_mem')).rows).toEqual([{ work_mem: '123kB' }]);
    const named = { name: 'left_here', text: 'select 1' };
    await first.query(named);
    await expect(second.query(named)).rejects.toMatchObject({ code: '42P05' });
  } finally {
    await Promise.all([first.end(), second.end()]);
  }
  expect((await leftBehind()).sort()).toEqual(['left_here', 'work_mem']);
});

test('background work through the pooler is warned of, and past it there is nothing to warn of', async () => {
  const warned = async (backgroundConnectionString: string): Promise<object[]> => {
    const fields: object[] = [];
    await open({ backgroundConnectionString }).checkBackgroundSessions({
      warn: (about) => fields.push(about),
    });
    return fields;
  };
  expect(await warned(pooled)).toEqual([{ setting: 'DATABASE_DIRECT_URL' }]);
  expect(await warned(direct)).toEqual([]);
});

test('a parameter that could not be kept is refused', async () => {
  await expect(query(`${pooled}?options=-c%20lock_timeout%3D1s`, 'select 1')).rejects.toThrow(
    /unsupported startup parameter/,
  );
});

test('the time to wait for a lock holds', async () => {
  const holder = await hold(open(), ensureAndLock);
  const impatient = open({ lockTimeoutMs: 100 });
  await expect(impatient.transaction(ensureAndLock)).rejects.toThrow(LockTimeoutError);
  await holder.rollBack();
  await impatient.transaction(ensureAndLock);
});

test('the time for a statement holds', async () => {
  const holder = await hold(open(), ensureAndLock);
  const impatient = open({ statementTimeoutMs: 100 });
  await expect(impatient.transaction(ensureAndLock)).rejects.toThrow(StatementTimeoutError);
  await holder.rollBack();
});

test('outside of transactions, the time that the role was given holds', async () => {
  expect((await query(pooled, 'show statement_timeout')).rows).toEqual([{ statement_timeout: '15s' }]);
  expect((await query(pooled, 'show client_connection_check_interval')).rows).toEqual([
    { client_connection_check_interval: '2s' },
  ]);
});

test('a client that stalls in a transaction is cut off, and its locks are free', async () => {
  const noticed = new Gate();
  const repository = open({ idleTimeoutMs: 100 }, () => noticed.open());
  const stall = new Gate();
  const stalled = new Gate();
  const work = repository.transaction(async (tx) => {
    await ensureAndLock(tx);
    stalled.open();
    await stall.opened;
  });
  const failing = expect(work).rejects.toThrow(UnavailableError);
  await stalled.opened;
  await open().transaction(ensureAndLock);
  await noticed.opened;
  stall.open();
  await failing;
});

test('a client that vanished while it waited for a lock is noticed, and does not get it', async () => {
  const proxy = await TcpProxy.before(pooled);
  try {
    const holder = await hold(open(), ensureAndLock);
    const repository = open({ connectionString: proxy.url(pooled), connectionCheckMs: 50 });
    const failing = expect(repository.transaction(ensureAndLock)).rejects.toThrow(UnavailableError);
    await until('it waits', async () => (await waiting()) === 1);
    proxy.cutAll();
    await failing;
    await until('the server has noticed', async () => (await waiting()) === 0);
    await holder.rollBack();
  } finally {
    await proxy.close();
  }
});

test('the feed stops before what is announced through the pooler, and reads on when that has ended', async () => {
  const repository = open();
  const { rows } = await query(direct, 'select last_value::int as last from operation_position');
  const before = Number(rows[0]?.['last']);
  const keep = async (): Promise<void> => {
    await repository.transaction((tx) => {
      tx.save({ operations: [operationRecord('/listings/feed')] });
      return Promise.resolve();
    });
  };
  await keep();
  const writer = new pg.Client(pooled);
  await writer.connect();
  await writer.query('begin');
  await writer.query(statements.announcePositions.text);
  await keep();
  expect((await repository.feed(before, 99)).length).toBe(1);
  await writer.query('commit');
  expect((await repository.feed(before, 99)).length).toBe(2);
  await writer.end();
});

function asHoldfast(url: string): string {
  const own = new URL(url);
  own.username = 'holdfast';
  own.password = password;
  return own.href;
}

function open(
  settings: Partial<PostgresSettings> = {},
  onConnectionError: (error: Error) => void = () => undefined,
): PostgresRepository {
  const through = { ...postgresSettings(pooled, 'under test'), namedStatements: false };
  const repository = PostgresRepository.open({ ...through, ...settings }, onConnectionError);
  opened.push(repository);
  return repository;
}

async function ensureAndLock(tx: Tx): Promise<void> {
  await Promise.all([tx.ensureAccounts(['p1']), tx.lockAccounts(['p1'])]);
}

async function migrate(env: Readonly<Record<string, string>>): Promise<string> {
  const command = new CommandLine(['migrate'], { env });
  const { code } = await command.ended;
  if (code !== 0) throw new Error(command.output);
  return command.output;
}

/** Connections of the server that wait for a lock. */
async function waiting(): Promise<number> {
  const { rows } = await query(
    direct,
    `select count(*)::int as count from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  );
  return Number(rows[0]?.['count']);
}

/**
 * What clients have left in the sessions of the server: settings, prepared statements, session locks, channels. All of
 * the sessions are looked at, because each of these clients is in a transaction until every one has looked.
 */
async function leftBehind(): Promise<string[]> {
  const clients = Array.from({ length: serverConnectionsMax }, () => new pg.Client(pooled));
  try {
    await Promise.all(clients.map((client) => client.connect()));
    await Promise.all(clients.map((client) => client.query('begin')));
    const found = await Promise.all(clients.map((client) => client.query<{ name: string }>(sessionState)));
    await Promise.all(clients.map((client) => client.query('rollback')));
    return found.flatMap(({ rows }) => rows.map(({ name }) => name));
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

/** PgBouncer itself sets the parameters that it keeps for each client. */
const sessionState = `
  select name from pg_settings
  where source = 'session' and name not in ('application_name', 'client_encoding', 'DateStyle', 'TimeZone')
  union all select name from pg_prepared_statements
  union all select locktype || ' lock' from pg_locks where pid = pg_backend_pid() and locktype = 'advisory'
  union all select channel from pg_listening_channels() as channel`;
