import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts';
import { query } from '../../../test/support/query.ts';
import type { DB } from './database-types.ts';
import { checkServer } from './server-check.ts';

let database: TestDatabase;
let db: Kysely<DB>;
let warnings: string[];

beforeEach(async () => {
  database = await createTestDatabase();
  db = new Kysely({
    dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: database.url }) }),
  });
  warnings = [];
});

afterEach(async () => {
  await db.destroy();
});

const check = async () =>
  await checkServer(db, {
    info: () => undefined,
    warn: (_fields, message) => {
      warnings.push(message);
    },
  });

test('a database without the schema of graphile-worker is refused, with what to do', async () => {
  await query(database.url, 'drop schema graphile_worker cascade');
  await expect(check()).rejects.toThrow(
    'the database lacks the schema of graphile-worker: run `holdfast migrate` (npm run migrate)',
  );
});

test('so is one in which it is older', async () => {
  await query(database.url, 'delete from graphile_worker.migrations where id > 18');
  await expect(check()).rejects.toThrow(
    'the schema of graphile-worker is at revision 18, and this version needs 20: run `holdfast migrate` (npm run migrate)',
  );
});

test('one in which it is newer serves, with a warning, unless it has broken with this version', async () => {
  await query(database.url, 'insert into graphile_worker.migrations (id) values (21)');
  await check();
  expect(warnings).toContain(
    'the schema of graphile-worker is at revision 21, and this version needs 20: a newer version has migrated it',
  );
  await query(database.url, 'insert into graphile_worker.migrations (id, breaking) values (22, true)');
  await expect(check()).rejects.toThrow('what came since breaks with it: use a later version');
});

test('a database that lacks a migration is refused, with its name', async () => {
  await query(database.url, `delete from kysely_migration where name = '0002_api_keys'`);
  await expect(check()).rejects.toThrow('the database lacks the migrations 0002_api_keys: run');
});
