import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { startEmbeddedPostgres } from '../src/development/embedded-postgres.ts';
import { migrateToLatest } from '../src/repository/postgres/migrate.ts';

/**
 * Writes the types of the tables from a database that the migrations have just made; with `--verify`, fails where the
 * file is not what they would make.
 */
const target = 'src/repository/postgres/database-types.ts';
const verify = process.argv.includes('--verify');
const log = { info: () => undefined, warn: () => undefined };

const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-types-'));
const postgres = await startEmbeddedPostgres({ dataFolder: folder, durable: false, log });
try {
  const url = postgres.url('holdfast');
  await migrateToLatest({ connectionString: url });
  const run = promisify(execFile);
  await run('kysely-codegen', [
    '--dialect=postgres',
    `--url=${url}`,
    `--out-file=${target}`,
    '--type-mapping={"int8":"number"}',
    '--exclude-pattern={kysely_*,graphile_worker.*}',
    ...(verify ? ['--verify'] : []),
  ]);
} catch (error) {
  const output = error instanceof Error && 'stderr' in error ? String(error.stderr) : '';
  process.stderr.write(
    verify
      ? `${target} is not what the migrations make: run \`npm run types:database\`\n${output}\n`
      : `${String(error)}\n`,
  );
  process.exitCode = 1;
} finally {
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}
