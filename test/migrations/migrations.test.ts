import { sql, type Kysely } from 'kysely';
import { beforeAll, describe, expect, test } from 'vitest';
import { migrations } from '../../migrations/index.ts';
import type { Migration } from '../../migrations/migration.ts';
import { migrateToLatest } from '../../src/repository/postgres/migrate.ts';
import { version } from '../../src/version.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { query } from '../support/query.ts';
import { examine } from './migration-exam.ts';

const names = Object.keys(migrations).sort();

async function emptyDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase();
  await query(database.url, 'drop schema public cascade');
  await query(database.url, 'create schema public');
  return database;
}

test.each(names)('the version before can live with %s, while it runs and after', async (name) => {
  const database = await emptyDatabase();
  const before = Object.fromEntries(
    names.filter((other) => other < name).map((other) => [other, migrations[other]]),
  );
  await migrateToLatest({ connectionString: database.url, migrations: before as Record<string, Migration> });
  const migration = migrations[name];
  if (migration === undefined) throw new Error(`there is no ${name}`);
  expect(await examine(migration, { connectionString: database.url, version })).toEqual([]);
});

describe('of migrations over a table that is there', () => {
  let template: TestDatabase;

  // Without rows, as in the exam of this version's own: what is found must not depend on them.
  beforeAll(async () => {
    template = await emptyDatabase();
    await query(
      template.url,
      `create table big (id text primary key, amount int not null, note text, label varchar(10));
       alter table big add constraint noted check (note is not null) not valid;
       create table other (id text primary key);
       create index big_note on big (note)`,
    );
  });

  async function faultsOf(
    statements: readonly string[],
    rest: Omit<Migration, 'up'> = {},
  ): Promise<readonly string[]> {
    const { url: connectionString } = await createTestDatabase(template);
    const up = async (db: Kysely<unknown>): Promise<void> => {
      for (const statement of statements) await sql.raw(statement).execute(db);
    };
    return await examine({ up, ...rest }, { connectionString, version: '0.3.0' });
  }

  test.each([
    [
      'an index',
      ['create index on big (amount)'],
      /^big is indexed while nobody can write to it \(ShareLock/,
    ],
    ['a volatile default', ['alter table big add r float default random()'], /^big is written anew/],
    ['a type of another size', ['alter table big alter amount type bigint'], /^big is written anew/],
    ['cluster, or vacuum full', ['cluster big using big_pkey'], /^big is written anew/],
    [
      'an unchecked NOT NULL',
      ['alter table big alter note set not null'],
      /^big is read as a whole while it is locked \(AccessExclusiveLock/,
    ],
    ['a check that is valid at once', ['alter table big add check (amount > 0)'], /^big is read as a whole/],
    ['a unique constraint', ['alter table big add unique (amount)'], /^big is indexed/],
    [
      'a foreign key that is valid at once',
      ['alter table big add foreign key (id) references other'],
      /^big is read as a whole.*ShareRowExclusiveLock/,
    ],
    [
      'a check that is made valid under the lock of an earlier statement',
      ['alter table big add column more int', 'alter table big validate constraint noted'],
      /^big is read as a whole.*validate constraint/,
    ],
    [
      'a table locked, and read',
      ['lock table big in exclusive mode', 'select count(*) from big'],
      /^big is read as a whole.*ExclusiveLock/,
    ],
    ['every row changed', ['update big set amount = amount + 1'], /^big has its rows changed all at once/],
    ['every row deleted', ['delete from big'], /^big has its rows changed all at once/],
    ['truncate', ['truncate big'], /^big is written anew/],
    ['a column dropped', ['alter table big drop column note'], /^column big\.note is dropped$/],
    ['a column renamed', ['alter table big rename amount to quantity'], /^column big\.amount is renamed$/],
    [
      'a column dropped and made again',
      ['alter table big drop column note', 'alter table big add note text'],
      /^column big\.note is dropped$/,
    ],
    ['a table dropped', ['drop table big'], /^table big is dropped$/],
    ['a table renamed', ['alter table big rename to large'], /^table big is renamed$/],
    [
      'a new column that must be given',
      [`alter table big add must text not null default ''`, 'alter table big alter must drop default'],
      /^column big\.must is new and must be given$/,
    ],
    [
      'a column that must now be given',
      ['alter table big validate constraint noted', 'alter table big alter note set not null'],
      /^column big\.note must now be given$/,
    ],
  ])('%s is refused', async (_what, statements, why) => {
    expect((await faultsOf(statements))[0]).toMatch(why);
  });

  test.each([
    ['a new column', ['alter table big add column more int']],
    ['one with a constant default', [`alter table big add column more int not null default 7`]],
    ['a check for what comes from now on', ['alter table big add check (amount > 0) not valid']],
    [
      'a foreign key for what comes from now on',
      ['alter table big add foreign key (id) references other not valid'],
    ],
    ['making a check valid', ['alter table big validate constraint noted']],
    [
      'NOT NULL by a check that is valid, with a default',
      [
        'alter table big validate constraint noted',
        `alter table big alter note set default ''`,
        'alter table big alter note set not null',
        'alter table big drop constraint noted',
      ],
    ],
    ['a type that needs no rewriting', ['alter table big alter label type text']],
    [
      'a new table, filled from another',
      ['create table more as select id from big', 'create index on more (id)'],
    ],
    ['an index dropped', ['drop index big_note']],
    ['one row changed', [`update big set amount = 1 where id = 'one'`]],
  ])('%s is fine', async (_what, statements) => {
    expect(await faultsOf(statements)).toEqual([]);
  });

  test('outside a transaction an index may be built concurrently, and nothing may lock the table', async () => {
    const outsideTransaction = true;
    const index = [
      'drop index concurrently if exists big_amount',
      'create index concurrently big_amount on big (amount)',
    ];
    expect(await faultsOf(index, { outsideTransaction })).toEqual([]);
    await expect(faultsOf(index)).rejects.toThrow('cannot run inside a transaction block');
    expect(await faultsOf(['create index on big (amount)'], { outsideTransaction })).toEqual([
      expect.stringMatching(/^big is indexed/),
    ]);
    expect(await faultsOf(['alter table big add column more int'], { outsideTransaction })).toEqual([
      expect.stringMatching(/^big is locked \(AccessExclusiveLock\) without a bound/),
    ]);
    const portion = `update big set amount = 1 where id in (select id from big where amount = 0 limit 1000)`;
    expect(await faultsOf([portion], { outsideTransaction })).toEqual([]);
  });

  test('what it removes it must name, and an earlier version must have been the first to do without', async () => {
    const drop = ['alter table big drop column note'];
    expect(await faultsOf(drop, { removes: { 'big.note': '0.2.9' } })).toEqual([]);
    expect(await faultsOf(drop, { removes: { 'big.amount': '0.2.9' } })).toEqual([
      'column big.note is dropped',
    ]);
    expect(await faultsOf(drop, { removes: { 'big.note': '0.3.0' } })).toEqual([
      'big.note is removed, but unused only since 0.3.0: version 0.3.0 may still run beside one that uses it',
    ]);
    expect(await faultsOf(drop, { removes: { 'big.note': '0.10.0' } })).toHaveLength(1);
    expect(await faultsOf(['drop table big'], { removes: { big: '0.2.9' } })).toEqual([]);
  });

  test('a transaction of its own is refused', async () => {
    const { url: connectionString } = await createTestDatabase(template);
    const up = async (db: Kysely<unknown>): Promise<void> => {
      await db.transaction().execute(() => Promise.resolve());
    };
    await expect(examine({ up }, { connectionString, version: '0.3.0' })).rejects.toThrow(
      'not its own to begin',
    );
  });
});
