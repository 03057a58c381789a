import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { createTestDatabase } from '../support/database.ts';
import { InstalledRelease } from '../support/installed-release.ts';
import { query } from '../support/query.ts';
import { adminApiKey, entry } from '../support/served-replicas.ts';
import { runSystemProgram } from '../support/system-program.ts';
import { until } from '../support/until.ts';

const repository = path.resolve(import.meta.dirname, '../..');

const clean: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const step of clean.splice(0).toReversed()) await step();
});

test('shellcheck has nothing to say about our scripts', async () => {
  const listed = await runSystemProgram('git', ['-C', repository, 'ls-files', '*.sh', '.ci/run']);
  const scripts = listed.trim().split('\n');
  expect(scripts).toContain('start_production.sh');
  const files = scripts.map((file) => path.join(repository, file));
  expect(await runSystemProgram('shellcheck', ['--norc', ...files])).toBe('');
});

test('ten that start at once on an empty database: one migrates, all serve', async () => {
  const database = await createTestDatabase();
  await query(database.url, 'drop schema public cascade; create schema public');
  const release = await InstalledRelease.create(`await import(${JSON.stringify(entry)});`);
  clean.push(() => release.remove());
  await release.write(
    '.env',
    [
      `DATABASE_URL="${database.url}"`,
      `ADMIN_API_KEY='${adminApiKey}'  # made up`,
      'export PORT=0',
      'DB_MAX_CONNS=12',
      'SHUTDOWN_GRACE=0s',
    ].join('\n'),
  );
  const starters = Array.from({ length: 10 }, () => new Starter(release));
  clean.push(() => Promise.all(starters.map((starter) => starter.kill())));
  await until(
    'all ten serve',
    () => starters.every(({ said, over }) => said.includes('"msg":"serving"') || over),
    240_000,
  );
  for (const { said, over } of starters) expect({ over, said }).toMatchObject({ over: false });
  const applied = starters.filter(({ said }) => said.includes('applied 0001_core'));
  const found = starters.filter(({ said }) => said.includes('the database is up to date'));
  expect([applied.length, found.length]).toEqual([1, 9]);
  const { rows } = await query(
    database.url,
    'select count(*)::int as n, count(distinct name)::int as names from kysely_migration',
  );
  expect(rows[0]?.['n']).toBe(rows[0]?.['names']);
  for (const starter of starters) starter.process.kill('SIGTERM');
  for (const starter of starters) expect(await starter.ended).toEqual([0, null]);
});

/** One run of the script, with nothing in its environment. */
class Starter {
  readonly process: ChildProcess;
  readonly ended: Promise<unknown>;
  said = '';
  over = false;

  constructor(release: InstalledRelease) {
    this.process = spawn(release.script, {
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.process.stdout, this.process.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (this.said += text));
    this.ended = once(this.process, 'exit').then((end: unknown) => {
      this.over = true;
      return end;
    });
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended;
  }
}
