import pg from 'pg';
import { expect, inject, test } from 'vitest';
import { createTestDatabase } from './database.ts';
import { query } from './query.ts';

test('a test database has the schema and is its own', async () => {
  const [first, second] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  expect(first.name).not.toBe(second.name);
  await query(first.url, 'create table mine ()');
  const tables = `select to_regclass('accounts') is not null as schema, to_regclass('mine') is not null as mine`;
  expect((await query(first.url, tables)).rows).toEqual([{ schema: true, mine: true }]);
  expect((await query(second.url, tables)).rows).toEqual([{ schema: true, mine: false }]);
});

test('many can be made at the same moment, and dropped', async () => {
  const databases = await Promise.all(Array.from({ length: 20 }, () => createTestDatabase()));
  const names = databases.map((database) => database.name);
  const { maintenanceUrl } = inject('postgres');
  const count = 'select count(*)::int as count from pg_database where datname = any($1)';
  expect((await query(maintenanceUrl, count, [names])).rows).toEqual([{ count: 20 }]);
  await Promise.all(databases.map((database) => database.drop()));
  expect((await query(maintenanceUrl, count, [names])).rows).toEqual([{ count: 0 }]);
});

test('a connection that a test leaves open is reported, and the database is dropped all the same', async () => {
  const database = await createTestDatabase();
  const leak = new pg.Client({ connectionString: database.url, application_name: 'a leak' });
  const ended = new Promise((resolve) => leak.on('error', resolve));
  await leak.connect();
  await leak.query('select 1 as leaked');
  const dropping = database.drop();
  await expect(dropping).rejects.toThrow(
    /1 connections to .* were left open: a leak, idle, select 1 as leaked/,
  );
  await expect(ended).resolves.toMatchObject({ code: '57P01' });
  // Known now: the drop after the file would report it again.
  database.drop = () => Promise.resolve();
});
