import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { promisify } from 'node:util';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DB } from '../../src/repository/postgres/database-types.ts';
import { readServerLink, type ServerLink } from '../../src/repository/postgres/server-link.ts';
import { audit, openWorkload, tally } from '../support/audit.ts';
import { Clients } from '../support/clients.ts';
import { CommandLine } from '../support/command-line.ts';
import type { TestDatabase } from '../support/database.ts';
import { blocksOf } from '../support/document-blocks.ts';
import { databaseUrl, query } from '../support/query.ts';
import { chooseSeed } from '../support/random.ts';
import { ok } from '../support/resources.ts';
import { adminApiKey, serveReplica } from '../support/served-replicas.ts';
import { startTlsPostgres, type TlsPostgres } from '../support/tls-postgres.ts';
import { planWorkload } from '../support/workload.ts';

const run = promisify(execFile);
const repository = path.resolve(import.meta.dirname, '../..');
const secret = (): string => randomBytes(24).toString('hex');
const passwords = { administrator: secret(), holdfast: secret(), holdfast_app: secret() };

let server: TlsPostgres;
const said: string[] = [];

beforeAll(async () => {
  server = await startTlsPostgres();
  // What a provider gives: no superuser.
  await query(server.superuserUrl, 'drop database holdfast');
  await query(
    server.superuserUrl,
    `create role administrator login createdb createrole password '${passwords.administrator}'`,
  );
  const env = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    PGHOST: 'localhost',
    PGPORT: String(server.port),
    PGUSER: 'administrator',
    PGPASSWORD: passwords.administrator,
    PGSSLMODE: 'verify-full',
    PGSSLROOTCERT: server.authority,
    HOLDFAST_PASSWORD: passwords.holdfast,
    HOLDFAST_APP_PASSWORD: passwords.holdfast_app,
  };
  await run('npm', ['run', 'build'], { cwd: repository });
  for (const { code } of await blocksOf('managed-postgresql')) {
    const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', code], { cwd: repository, env });
    said.push(stdout);
  }
});

afterAll(async () => {
  await (server as TlsPostgres | undefined)?.remove();
});

function url(role: keyof typeof passwords, { host = 'localhost', parameters = '' } = {}): string {
  return `postgres://${role}:${passwords[role]}@${host}:${server.port}/holdfast${parameters}`;
}

const verified = (): { parameters: string } => ({
  parameters: `?sslmode=verify-full&sslrootcert=${server.authority}`,
});

test('an administrator who is no superuser can set it up', () => {
  expect(said[0]).toContain('applied 0001_core');
  expect(said[0]).toContain('Nothing is wrong with it.');
});

test('replicas serve over TLS, with a role that owns nothing', async () => {
  const operations = 500;
  const seed = chooseSeed('managed postgresql');
  const app = url('holdfast_app', verified());
  const database: TestDatabase = { url: app, name: 'holdfast', drop: () => Promise.resolve() };
  const replicas = [await serveReplica({ database }), await serveReplica({ database })];
  const api = replicas[0]?.api;
  if (api === undefined) throw new Error('there are two');
  await openWorkload(api, operations);
  const load = await Clients.run({
    operations: planWorkload({ seed, operations }),
    urls: replicas.map((replica) => replica.url),
    token: adminApiKey,
    clients: 24,
    seed,
  });
  expect(load).toMatchObject({ failures: {}, unanswered: 0 });
  expect(tally(load)['accepted']).toBeGreaterThan(operations / 3);
  await audit(api, { run: load, operations, databaseUrl: app });
  ok(await api.post('/v1/api-keys', { name: 'reports', role: 'reader' }), 201);
  ok(await api.post('/v1/verifications', {}), 201);
  const { rows } = await query(
    databaseUrl(server.superuserUrl, 'holdfast'),
    `select distinct ssl from pg_stat_ssl join pg_stat_activity using (pid) where usename = 'holdfast_app'`,
  );
  expect(rows).toEqual([{ ssl: true }]);
  await expect(query(app, 'create table mine ()')).rejects.toMatchObject({ code: '42501' });
  await expect(query(app, 'drop table operations')).rejects.toMatchObject({ code: '42501' });
  for (const { code } of await Promise.all(replicas.map(async (replica) => await replica.stop())))
    expect(code).toBe(0);
});

test('the server says whether it is reached by TLS, and from where', async () => {
  const link = async (connectionString: string): Promise<ServerLink> => {
    const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString }) }) });
    return await readServerLink(db).finally(() => db.destroy());
  };
  const addresses = { clientAddress: '127.0.0.1', serverAddress: '127.0.0.1' };
  expect(await link(url('holdfast_app', verified()))).toEqual({ encrypted: true, ...addresses });
  expect(await link(server.superuserUrl)).toEqual({ encrypted: false, ...addresses });
});

describe('in the URL', () => {
  async function connected(options: Parameters<typeof url>[1]): Promise<string> {
    const client = new pg.Client({
      connectionString: url('holdfast', options),
      connectionTimeoutMillis: 5000,
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<{ ssl: boolean }>(
        'select ssl from pg_stat_ssl where pid = pg_backend_pid()',
      );
      return rows[0]?.ssl === true ? 'encrypted' : 'plain';
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      await client.end();
    }
  }

  test('verify-full is encrypted, by a server that is certified for that name', async () => {
    expect(await connected(verified())).toBe('encrypted');
    expect(await connected({ ...verified(), host: '127.0.0.1' })).toMatch(/Hostname\/IP does not match/);
    const parameters = `?sslmode=verify-full&sslrootcert=${server.stranger}`;
    expect(await connected({ parameters })).toMatch(/unable to verify the first certificate/);
    expect(await connected({ parameters: '?sslmode=verify-full' })).toMatch(/unable to verify|self-signed/);
  });

  test.each(['require', 'prefer', 'verify-ca'])('%s verifies as well', async (mode) => {
    const parameters = `?sslmode=${mode}&sslrootcert=${server.authority}`;
    expect(await connected({ parameters })).toBe('encrypted');
    expect(await connected({ parameters, host: '127.0.0.1' })).toMatch(/Hostname\/IP does not match/);
    expect(await connected({ parameters: `?sslmode=${mode}` })).toMatch(/unable to verify|self-signed/);
  });

  test('no-verify is encrypted, by anyone', async () => {
    expect(await connected({ parameters: '?sslmode=no-verify', host: '127.0.0.1' })).toBe('encrypted');
  });

  test.each(['', '?sslmode=disable'])(
    '"%s" is not encrypted, which this server refuses',
    async (parameters) => {
      expect(await connected({ parameters })).toMatch(/no encryption/);
    },
  );

  test('what is wrong is said at the start', async () => {
    const command = new CommandLine(['migrate'], {
      env: { DATABASE_URL: url('holdfast', { parameters: '?sslmode=verify-full' }) },
    });
    expect((await command.ended).code).not.toBe(0);
    expect(command.output).toMatch(/certificate/);
    expect(command.output).not.toContain(passwords.holdfast);
  });
});
