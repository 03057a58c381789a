import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, inject, test } from 'vitest';
import { CommandLine } from '../support/command-line.ts';
import { createTestDatabase } from '../support/database.ts';
import { databaseUrl, query } from '../support/query.ts';
import { adminApiKey, replicaEnv, serveReplica } from '../support/served-replicas.ts';

const clean: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const step of clean.splice(0)) await step();
});

/** Runs a command to its end, which must not be long in coming. */
async function run(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<{ code: number | null; output: string }> {
  const command = new CommandLine(args, { env });
  const timer = setTimeout(() => command.process.kill('SIGKILL'), 15_000);
  const { code } = await command.ended;
  clearTimeout(timer);
  return { code, output: command.output };
}

describe('serve', () => {
  test('names all faults of its settings at once', async () => {
    const { code, output } = await run(['serve'], {
      NODE_ENV: 'production',
      DATABASE_URL: 'mysql://root:hunter2@db/x',
      ADMIN_API_KEY: 'too-short-secret',
      PORT: '70000',
      HOST: 'a b',
      LOG_LEVEL: 'loud',
      SHUTDOWN_TIMEOUT: 'soon',
      CORS_ORIGINS: 'shop.example',
      DB_MAX_CONNS: '1.5',
      DB_LOCK_TIMEOUT: '-1s',
    });
    expect(code).not.toBe(0);
    expect(code).not.toBeNull();
    for (const name of [
      'DATABASE_URL',
      'ADMIN_API_KEY',
      'PORT',
      'HOST',
      'LOG_LEVEL',
      'SHUTDOWN_TIMEOUT',
      'CORS_ORIGINS',
      'DB_MAX_CONNS',
      'DB_LOCK_TIMEOUT',
    ])
      expect(output).toContain(name);
    expect(output).toContain('70000');
    expect(output).not.toMatch(/hunter2|too-short-secret/);
    expect(output).not.toMatch(/^\s+at /m);
  });

  test('says what is missing', async () => {
    const { code, output } = await run(['serve'], {});
    expect(code).toBeGreaterThan(0);
    expect(output).toContain('DATABASE_URL');
    expect(output).toContain('ADMIN_API_KEY');
  });

  test('takes an empty variable for one that is not set', async () => {
    const { code, output } = await run(['serve'], { DATABASE_URL: '', ADMIN_API_KEY: '', PORT: '' });
    expect(code).toBeGreaterThan(0);
    expect(output).toContain('DATABASE_URL');
    expect(output).not.toMatch(/\bPORT\b/);
  });

  test('names settings that contradict each other', async () => {
    const { code, output } = await run(['serve'], {
      DATABASE_URL: 'postgres://localhost/x',
      ADMIN_API_KEY: adminApiKey,
      SHUTDOWN_GRACE: '40s',
      DB_MAX_CONNS: '3',
    });
    expect(code).toBeGreaterThan(0);
    expect(output).toContain('SHUTDOWN_GRACE');
    expect(output).toContain('DB_MAX_CONNS');
  });

  test('in production an admin key of 32 characters will do, of 31 not', async () => {
    const database = await createTestDatabase();
    const env = { NODE_ENV: 'production', SHUTDOWN_GRACE: '0s' };
    const short = await run(['serve'], replicaEnv(database.url, { ...env, ADMIN_API_KEY: 'k'.repeat(31) }));
    expect(short.code).toBeGreaterThan(0);
    expect(short.output).toContain('ADMIN_API_KEY');
    const replica = await serveReplica({ database, env: { ...env, ADMIN_API_KEY: 'k'.repeat(32) } });
    expect((await replica.api.get('/v1/assets')).status).toBe(200);
  });

  test('a file of keys that can’t be read keeps it from serving', async () => {
    const database = await createTestDatabase();
    const tokens = {
      JWT_JWKS: '/nowhere/keys.json',
      JWT_ISSUER: 'https://login.test',
      JWT_AUDIENCE: 'holdfast',
    };
    const { code, output } = await run(
      ['serve'],
      replicaEnv(database.url, { LOG_LEVEL: 'fatal', ...tokens }),
    );
    expect(code).toBe(1);
    expect(output).toContain('JWT_JWKS: /nowhere/keys.json can’t be read');
  });

  test('on a database that was not migrated says so', async () => {
    const { maintenanceUrl, prefix } = inject('postgres');
    const name = `${prefix}${randomBytes(6).toString('hex')}`;
    await query(maintenanceUrl, `create database ${name}`);
    clean.push(() => query(maintenanceUrl, `drop database ${name} with (force)`));
    const url = databaseUrl(maintenanceUrl, name);
    const before = await run(['serve'], replicaEnv(url, { LOG_LEVEL: 'info' }));
    expect(before.code).toBeGreaterThan(0);
    expect(before.output).toMatch(/migrat/i);
    // And migrating is all it takes.
    const migration = await run(['migrate'], { DATABASE_URL: url });
    expect(migration, migration.output).toMatchObject({ code: 0 });
    expect(await run(['migrate'], { DATABASE_URL: url })).toMatchObject({ code: 0 });
    const replica = new CommandLine(['serve'], { env: replicaEnv(url, { LOG_LEVEL: 'info' }) });
    clean.unshift(() => {
      replica.process.kill('SIGKILL');
      return replica.ended;
    });
    await replica.says('serving');
    replica.process.kill('SIGTERM');
    expect(await replica.ended).toEqual({ code: 0, signal: null });
  });

  test('where no database answers says so, and not its password', async () => {
    // A port where nothing listens any more.
    const listener = createServer();
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const { port } = listener.address() as AddressInfo;
    await new Promise((resolve) => listener.close(resolve));
    const url = `postgres://holdfast:hunter2@127.0.0.1:${port}/holdfast`;
    const { code, output } = await run(['serve'], replicaEnv(url, { LOG_LEVEL: 'info' }));
    expect(code).toBeGreaterThan(0);
    expect(output).toMatch(/ECONNREFUSED|database/i);
    expect(output).not.toContain('hunter2');
  });

  test('on a port that is taken says so', async () => {
    const database = await createTestDatabase();
    const listener = createServer();
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    clean.push(() => new Promise((resolve) => listener.close(resolve)));
    const { port } = listener.address() as AddressInfo;
    const { code, output } = await run(
      ['serve'],
      replicaEnv(database.url, { PORT: String(port), LOG_LEVEL: 'info' }),
    );
    expect(code).toBeGreaterThan(0);
    expect(output).toMatch(/EADDRINUSE|in use/i);
    expect(output).toContain(String(port));
  });
});

describe('config', () => {
  test('lists every setting, with what holds and where it comes from, and hides the secrets', async () => {
    const { code, output } = await run(['config'], {
      DATABASE_URL: 'postgres://holdfast:hunter2@db/x',
      ADMIN_API_KEY: adminApiKey,
      PORT: '4711',
    });
    expect(code).toBe(0);
    for (const name of [
      'DATABASE_URL',
      'HOST',
      'PORT',
      'NODE_ENV',
      'LOG_LEVEL',
      'DB_MAX_CONNS',
      'DB_MAX_CONN_IDLE_TIME',
      'DB_MAX_CONN_LIFETIME',
      'ADMIN_API_KEY',
      'SHUTDOWN_TIMEOUT',
      'CORS_ORIGINS',
    ])
      expect(output).toContain(name);
    expect(output).toContain('4711');
    expect(output).toContain('127.0.0.1');
    expect(output).not.toContain('hunter2');
    expect(output).not.toContain(adminApiKey);
  });

  test.each([
    ['development', '10', '30m', '1h'],
    ['staging', '20', '10m', '30m'],
    ['production', '50', '5m', '30m'],
  ])('in %s the connections are %s, %s, %s', async (environment, count, idle, lifetime) => {
    const { output } = await run(['config'], { NODE_ENV: environment });
    const valueOf = (name: string): string => new RegExp(`^\\s*${name}\\b(.*)$`, 'm').exec(output)?.[1] ?? '';
    expect(valueOf('DB_MAX_CONNS')).toMatch(new RegExp(`\\b${count}\\b`));
    expect(valueOf('DB_MAX_CONN_IDLE_TIME')).toMatch(new RegExp(`\\b${idle}\\b`));
    expect(valueOf('DB_MAX_CONN_LIFETIME')).toMatch(new RegExp(`\\b${lifetime}\\b`));
  });
});
