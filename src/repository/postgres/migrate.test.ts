import { sql, type Kysely } from 'kysely';
import pg from 'pg';
import { beforeEach, expect, inject, test } from 'vitest';
import type { Migration } from '../../../migrations/migration.ts';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts';
import { query } from '../../../test/support/query.ts';
import { jobSchemaRevision } from './job-schema.ts';
import { migrateToLatest, MigrationFailedError, UnknownMigrationsError } from './migrate.ts';

let database: TestDatabase;

/** Counts how often it was applied, in the database, so that a second time shows. */
const first: Migration = {
  up: (db: Kysely<unknown>) => run(db, 'create table first ()', 'create table log (name text)'),
};
const second: Migration = { up: (db: Kysely<unknown>) => run(db, `insert into log values ('second')`) };
const broken: Migration = { up: (db: Kysely<unknown>) => run(db, 'create table half ()', 'select 1/0') };

beforeEach(async () => {
  database = await createTestDatabase();
  // As empty as a new one, at the price of a copy.
  await query(database.url, 'drop schema public cascade');
  await query(database.url, 'create schema public');
});

test('it applies what is pending, in order, once', async () => {
  const { url: connectionString } = database;
  expect(await migrateToLatest({ connectionString, migrations: { '0001_first': first } })).toEqual([
    '0001_first',
  ]);
  const migrations = { '0002_second': second, '0001_first': first };
  const messages: unknown[] = [];
  const log = {
    info: (fields: unknown, message: string) => messages.push([message, fields]),
    warn: () => undefined,
  };
  expect(await migrateToLatest({ connectionString, migrations, log })).toEqual(['0002_second']);
  expect(await migrateToLatest({ connectionString, migrations, log })).toEqual([]);
  expect(messages).toEqual([
    ['Database migrated', { applied: ['0002_second'] }],
    ['Database is up to date', { applied: [] }],
  ]);
});

test('this version’s migrations apply to an empty database', async () => {
  expect(await migrateToLatest({ connectionString: database.url })).toContain('0001_core');
  expect(await migrateToLatest({ connectionString: database.url })).toEqual([]);
});

test('the schema of graphile-worker is made as well, once, and open to whom it is granted', async () => {
  const { url: connectionString } = database;
  await query(connectionString, 'drop schema graphile_worker cascade');
  const starters = await Promise.all([1, 2, 3].map(() => migrateToLatest({ connectionString })));
  expect(starters.flat().filter((name) => name.startsWith('graphile'))).toEqual([
    `graphile_worker_${jobSchemaRevision}`,
  ]);
  // What the installed graphile-worker makes is what the start-up check asks for.
  expect(
    (await query(connectionString, 'select max(id) as revision from graphile_worker.migrations')).rows,
  ).toEqual([{ revision: jobSchemaRevision }]);
  const role = `${database.name}_app`;
  await query(connectionString, `create role ${role}`);
  try {
    await query(
      connectionString,
      `grant usage on schema graphile_worker to ${role};
       grant select, insert, update, delete on all tables in schema graphile_worker to ${role};
       grant usage, select on all sequences in schema graphile_worker to ${role};
       set role ${role};
       select graphile_worker.add_job('any')`,
    );
    expect((await query(connectionString, 'select task_identifier from graphile_worker.jobs')).rows).toEqual([
      { task_identifier: 'any' },
    ]);
  } finally {
    await query(connectionString, `drop owned by ${role}; drop role ${role}`);
  }
});

test('of ten starters at once, one migrates and the others find it done', async () => {
  const migrations = { '0001_first': first, '0002_second': second };
  const starters = Array.from({ length: 10 }, () =>
    migrateToLatest({ connectionString: database.url, migrations }),
  );
  const applied = (await Promise.all(starters)).filter((names) => names.length > 0);
  expect(applied).toEqual([['0001_first', '0002_second']]);
  expect((await query(database.url, 'select name from log')).rows).toEqual([{ name: 'second' }]);
});

test('a migration that fails is taken back, those before it stay, and it is said which and why', async () => {
  const migrations = { '0001_first': first, '0002_broken': broken, '0003_second': second };
  const failure = migrateToLatest({ connectionString: database.url, migrations });
  await expect(failure).rejects.toThrow(MigrationFailedError);
  await expect(failure).rejects.toMatchObject({
    message: 'Migration 0002_broken failed, and was rolled back: division by zero',
    migration: '0002_broken',
    cause: { code: '22012' },
  });
  const left = `select to_regclass('first')::text as first, to_regclass('half') as half, (select count(*)::int from kysely_migration) as applied`;
  expect((await query(database.url, left)).rows).toEqual([{ first: 'first', half: null, applied: 1 }]);

  const repaired = { ...migrations, '0002_broken': { up: () => Promise.resolve() } };
  expect(await migrateToLatest({ connectionString: database.url, migrations: repaired })).toEqual([
    '0002_broken',
    '0003_second',
  ]);
});

test('an index is built without a transaction where a migration says so, and again after it was cut short', async () => {
  const index: Migration = {
    outsideTransaction: true,
    up: (db: Kysely<unknown>) =>
      run(
        db,
        'drop index concurrently if exists log_name',
        'create unique index concurrently log_name on log (name)',
      ),
  };
  const migrations = { '0001_first': first, '0002_index': index, '0003_second': second };
  const { url: connectionString } = database;
  await migrateToLatest({ connectionString, migrations: { '0001_first': first } });
  await query(connectionString, `insert into log values ('twice'), ('twice')`);
  await expect(migrateToLatest({ connectionString, migrations })).rejects.toMatchObject({
    migration: '0002_index',
    message: expect.stringContaining('failed, and what it had done so far stays') as string,
    cause: { code: '23505' },
  });
  const validity = `select indisvalid from pg_index where indexrelid = 'log_name'::regclass`;
  expect((await query(connectionString, validity)).rows).toEqual([{ indisvalid: false }]);
  await query(connectionString, 'delete from log');
  expect(await migrateToLatest({ connectionString, migrations })).toEqual(['0002_index', '0003_second']);
  expect((await query(connectionString, validity)).rows).toEqual([{ indisvalid: true }]);
});

test('a migration that waits for a table in use lets others through, and is tried again until it is free', async () => {
  const { url: connectionString } = database;
  const alter: Migration = { up: (db: Kysely<unknown>) => run(db, 'alter table log add column at text') };
  const migrations = { '0001_first': first, '0002_alter': alter };
  await migrateToLatest({ connectionString, migrations: { '0001_first': first } });
  const reader = await reading(connectionString, 'log');
  const told = Promise.withResolvers<null>();
  const log = {
    info: () => undefined,
    warn: (fields: Record<string, unknown>) => {
      if (fields['tries'] === 2) told.resolve(null);
    },
  };
  const lockPolicy = { waitMs: 20, triesMax: 1000, pauseMsMax: 20 };
  const migrating = migrateToLatest({ connectionString, migrations, log, lockPolicy });
  await told.promise;
  await reader.end();
  expect(await migrating).toEqual(['0002_alter']);
});

test('of a table that never becomes free it says so in the end', async () => {
  const { url: connectionString } = database;
  const alter: Migration = { up: (db: Kysely<unknown>) => run(db, 'alter table log add column at text') };
  await migrateToLatest({ connectionString, migrations: { '0001_first': first } });
  const reader = await reading(connectionString, 'log');
  const failure = migrateToLatest({
    connectionString,
    migrations: { '0001_first': first, '0002_alter': alter },
    lockPolicy: { waitMs: 10, triesMax: 3, pauseMsMax: 1 },
  });
  await expect(failure).rejects.toMatchObject({ migration: '0002_alter', cause: { code: '55P03' } });
  await reader.end();
});

test('a database of a newer version is left as it is, so that an upgrade can be rolled back', async () => {
  const { url: connectionString } = database;
  await migrateToLatest({ connectionString, migrations: { '0001_first': first, '0002_newer': second } });
  const warnings: unknown[] = [];
  const log = {
    info: () => undefined,
    warn: (fields: unknown, message: string) => warnings.push([message, fields]),
  };
  expect(await migrateToLatest({ connectionString, migrations: { '0001_first': first }, log })).toEqual([]);
  expect(warnings).toEqual([
    ['The database has been migrated by a newer version', { unknown: ['0002_newer'] }],
  ]);
});

test('a database that has taken another way is refused, and nothing is run', async () => {
  const { url: connectionString } = database;
  await migrateToLatest({ connectionString, migrations: { '0001_first': first, '0003_newer': second } });
  const older = migrateToLatest({
    connectionString,
    migrations: { '0001_first': first, '0002_second': second },
  });
  await expect(older).rejects.toThrow(UnknownMigrationsError);
  await expect(older).rejects.toThrow('migrations that this version does not know (0003_newer)');
  await expect(older).rejects.toMatchObject({ names: ['0003_newer'] });
  expect((await query(connectionString, 'select count(*)::int as runs from log')).rows).toEqual([
    { runs: 1 },
  ]);
});

test('a migration waits for a table in use only so long, and a statement as long as it takes', async () => {
  const settings: Migration = {
    up: async (db: Kysely<unknown>) => {
      await run(
        db,
        `create table settings as select name, setting from pg_settings where name like '%timeout'`,
      );
    },
  };
  const name = new URL(database.url).pathname.slice(1);
  await query(inject('postgres').maintenanceUrl, `alter database ${name} set statement_timeout = '1s'`);
  await migrateToLatest({ connectionString: database.url, migrations: { '0001_settings': settings } });
  const wanted = `select name, setting from settings where name in ('lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout') order by name`;
  expect((await query(database.url, wanted)).rows).toEqual([
    { name: 'idle_in_transaction_session_timeout', setting: '60000' },
    { name: 'lock_timeout', setting: '1000' },
    { name: 'statement_timeout', setting: '0' },
  ]);
});

test('a server that cannot be reached is an error with its cause', async () => {
  const url = new URL(database.url);
  url.pathname = '/no_such_database';
  const failure = migrateToLatest({ connectionString: url.href });
  await expect(failure).rejects.toMatchObject({
    name: 'MigrationFailedError',
    migration: undefined,
    cause: { code: '3D000' },
  });
});

/** A transaction that has read a table and goes on. */
async function reading(connectionString: string, table: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query('begin');
  await client.query(`select * from ${table}`);
  return client;
}

async function run(db: Kysely<unknown>, ...statements: string[]): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}
