import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { beforeAll, describe, expect, test } from 'vitest';
import { startEmbeddedPostgres } from '../../src/development/embedded-postgres.ts';
import { migrateToLatest } from '../../src/repository/postgres/migrate.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { query } from '../support/query.ts';
import { entry } from '../support/served-replicas.ts';
import { makeSoundLedger } from '../support/sound-ledger.ts';

interface Run {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

/** `holdfast verify` as a process of its own, in an environment with nothing else in it. */
async function verify(
  args: readonly string[],
  { env = {}, folder }: { env?: Record<string, string>; folder?: string } = {},
): Promise<Run> {
  const child = spawn(process.execPath, [entry, 'verify', ...args], {
    env: { PATH: process.env['PATH'], ...env },
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exit = once(child, 'exit') as Promise<[number | null]>;
  const streams = Promise.all([text(child.stdout), text(child.stderr)]);
  const [[code], [output, errors]] = await Promise.all([exit, streams]);
  return { code, output, errors };
}

let sound: TestDatabase;

beforeAll(async () => {
  sound = await createTestDatabase();
  await makeSoundLedger(sound);
});

const plant = `
  update holdings set quantity = 1000 where account = 'alice' and asset = 'gold';
  update stock set remaining = remaining + 1 where listing = 'limited'`;

test('a sound ledger: what was checked, and exit code 0', async () => {
  const { code, output, errors } = await verify([], { env: { DATABASE_URL: sound.url } });
  expect({ code, output }).toEqual({
    code: 0,
    output: [
      '                7 accounts',
      '               12 holdings',
      '               33 entries',
      '               22 operations',
      '                5 listings',
      '                4 purchase counts',
      'Nothing is wrong with it.',
      '',
    ].join('\n'),
  });
  // No terminal: no bar, only the line at its end.
  expect(errors).toMatch(/^checked the ledger in \d+\.\d s\n$/);
});

describe('one that is not', () => {
  let broken: TestDatabase;

  beforeAll(async () => {
    broken = await createTestDatabase(sound);
    await query(broken.url, plant);
  });

  test('each discrepancy on a line, and exit code 1', async () => {
    const { code, output } = await verify([], { env: { DATABASE_URL: broken.url } });
    expect(code).toBe(1);
    expect(output.split('\n').slice(6)).toEqual([
      '3 discrepancies:',
      '  stock_remaining: listing limited has 26 left, and the last operation on it left 25',
      '  stock_sold: 4 of listing limited are gone, and 5 were bought',
      '  holding_sum: account alice holds 1000 gold, and its entries sum to 848',
      '',
    ]);
  });

  test('as JSON', async () => {
    const { code, output } = await verify(['--json'], {
      env: { DATABASE_URL: broken.url, VERIFY_DISCREPANCIES_MAX: '1' },
    });
    expect(code).toBe(1);
    expect(JSON.parse(output)).toMatchObject({
      sound: false,
      counts: { operations: 22 },
      discrepancyCount: 3,
      discrepancies: [{ kind: 'stock_remaining', where: { listing: 'limited' }, expected: 25, found: 26 }],
    });
  });

  test('and those that were not kept are counted', async () => {
    const env = { DATABASE_URL: broken.url, VERIFY_DISCREPANCIES_MAX: '1' };
    const { output } = await verify([], { env });
    expect(output.split('\n').at(-2)).toBe('  and 2 more');
  });
});

test('what can’t be verified is said in a line, and is no success', async () => {
  const nowhere = await verify([], { env: { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing' } });
  expect(nowhere.code).toBe(1);
  expect(nowhere.errors).toMatch(
    /^holdfast: the connection to the database was lost \(.*ECONNREFUSED.*\)\n$/,
  );

  const empty = await createTestDatabase();
  await query(empty.url, 'delete from kysely_migration');
  const unfit = await verify([], { env: { DATABASE_URL: empty.url } });
  expect(unfit.code).toBe(1);
  expect(unfit.errors).toContain('run `holdfast migrate`');

  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-verify-'));
  const nothing = await verify([], { folder });
  expect(nothing.code).toBe(1);
  expect(nothing.errors).toContain('DATABASE_URL is required');
  await rm(folder, { recursive: true });
});

test('an interruption ends it, and is no success', async () => {
  const child = spawn(process.execPath, [entry, 'verify'], {
    env: { PATH: process.env['PATH'], DATABASE_URL: sound.url, VERIFY_PAUSE: '60s' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exit = once(child, 'exit') as Promise<[number | null]>;
  const errors = text(child.stderr);
  await connectedAs(sound.url, 'holdfast');
  child.kill('SIGTERM');
  expect(await exit).toEqual([1, null]);
  expect(await errors).toBe('interrupted before it was done\n');
});

/** Resolves when a process of that name is connected to the database. */
async function connectedAs(url: string, name: string): Promise<void> {
  for (;;) {
    const { rows } = await query(
      url,
      `select from pg_stat_activity where datname = current_database() and application_name like $1 || '%'`,
      [name],
    );
    if (rows.length > 0) return;
  }
}

test('without DATABASE_URL, the development database in .data/postgres, whether or not it runs', async () => {
  const folder = await realpath(await mkdtemp(path.join(tmpdir(), 'holdfast-verify-')));
  const start = () =>
    startEmbeddedPostgres({
      dataFolder: path.join(folder, '.data', 'postgres'),
      durable: true,
      log: { info: () => undefined, warn: () => undefined },
    });
  const server = await start();
  try {
    const url = server.url('holdfast');
    await migrateToLatest({ connectionString: url });
    const running = await verify([], { folder });
    expect(running.errors).toContain(
      'DATABASE_URL is not set: verifying the development database in .data/postgres',
    );
    expect(running).toMatchObject({ code: 0, output: expect.stringContaining('Nothing is wrong') as string });
    // It was left running: `dev` may be using it.
    await query(url, `insert into accounts (id, bucket, version) values ('p1', 1, 7)`);
  } finally {
    await server.stop();
  }
  const stopped = await verify([], { folder });
  expect(stopped).toMatchObject({ code: 1, output: expect.stringContaining('account_version') as string });
  const again = await start();
  expect(again.adopted, 'it was stopped again').toBe(false);
  await again.stop();
  for (const place of new Set([folder, again.dataFolder])) await rm(place, { recursive: true, force: true });
}, 60_000);
