import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { Api } from '../support/api.ts';
import { blocksOf } from '../support/document-blocks.ts';
import { expectGranted, loadWithGrants } from '../support/grant-load.ts';
import { openMarket } from '../support/market.ts';
import { query } from '../support/query.ts';
import { receipt } from '../support/resources.ts';
import { until } from '../support/until.ts';
import { isAlive } from '../support/worker-service.ts';

const run = promisify(execFile);
const repository = path.resolve(import.meta.dirname, '../..');
const blockMsMax = 600_000;

let folder: string;
let url: string;
let env: Record<string, string | undefined>;
/** What the guide has typed, in its order. */
let settings: string, install: string, start: string, stop: string;
let installAgain: string, reload: string, goBack: string;

beforeAll(async () => {
  const blocks = (await blocksOf('host')).map(({ code }) => code);
  expect(blocks).toHaveLength(7);
  [settings = '', install = '', start = '', stop = '', installAgain = '', reload = '', goBack = ''] = blocks;

  folder = await realpath(await mkdtemp(path.join(tmpdir(), 'holdfast-host-')));
  // On a host the system's user postgres is the superuser of the server; here the environment says who is.
  await mkdir(path.join(folder, 'bin'));
  const runuser = path.join(folder, 'bin/runuser');
  await writeFile(runuser, '#!/bin/sh\n[ "$1 $2 $3" = "-u postgres --" ] && shift 3 && exec "$@"\n');
  await chmod(runuser, 0o755);
  const server = new URL(inject('postgres').maintenanceUrl);
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  // No Node 24 in PATH: the guide has to bring its own.
  const PATH = (process.env['PATH'] ?? '').split(':').filter((entry) => !entry.includes('node_modules'));
  env = {
    HOME: process.env['HOME'],
    PATH: [path.join(folder, 'bin'), ...PATH].join(':'),
    REPOSITORY: `file://${repository}`,
    PORT: String(port),
    PGHOST: server.hostname,
    PGPORT: server.port,
    PGUSER: decodeURIComponent(server.username),
    PGPASSWORD: decodeURIComponent(server.password),
  };
  // The tests' server comes with one of this name.
  await query(server.href, 'drop database if exists holdfast');
  await type(settings);
  await type(install);
}, blockMsMax);

afterAll(async () => {
  const pid = await primary().catch(() => 0);
  if (pid !== 0 && isAlive(pid)) {
    process.kill(pid, 'SIGTERM');
    await until('it ends', () => !isAlive(pid), 60_000);
  }
  const { maintenanceUrl } = inject('postgres');
  await query(maintenanceUrl, 'drop database if exists holdfast with (force)');
  await query(maintenanceUrl, 'drop role if exists holdfast');
  await rm(folder, { recursive: true });
}, 120_000);

/** Types a block of the guide, in the folder. It fails when a command of it does. */
async function type(code: string): Promise<string> {
  try {
    const { stdout } = await run('bash', ['--norc', '-euo', 'pipefail', '-c', code], {
      cwd: folder,
      env,
      timeout: blockMsMax,
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout;
  } catch (error) {
    const log = await logText().catch(() => '');
    throw new Error(`${code}\n${String(error)}\n${log}`, { cause: error });
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function primary(): Promise<number> {
  return Number(await readFile(path.join(folder, 'holdfast.pid'), 'utf8'));
}

async function logText(): Promise<string> {
  return await readFile(path.join(folder, 'holdfast.log'), 'utf8');
}

async function said(message: string): Promise<readonly Record<string, unknown>[]> {
  return (await logText())
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ msg }) => msg === message);
}

async function setting(name: string): Promise<string> {
  const text = await readFile(path.join(folder, 'env'), 'utf8');
  return new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? '';
}

async function replicas(): Promise<number[]> {
  return (await said('a replica serves')).map(({ replica }) => Number(replica));
}

async function allServe(): Promise<void> {
  await until('all three serve', async () => (await replicas()).length === 3, 60_000);
}

test(
  'what the guide says brings up three replicas, which stop as it says',
  async () => {
    expect(await type(start)).toContain('{"status":"ready"}');
    await allServe();
    await until('it says where', async () => (await logText()).includes('"replicas":3'));
    expect(await type(stop)).toContain('"drained":true');
    expect((await replicas()).filter(isAlive)).toEqual([]);
  },
  blockMsMax,
);

test(
  'killed with all its replicas, it has everything when it is started again',
  async () => {
    await type(start);
    await allServe();
    const first = await Api.of(url, await setting('ADMIN_API_KEY'));
    await openMarket(first);
    receipt(await first.grant('p1', { gold: 10 }));
    const bought = receipt(await first.purchase('p1', 'sword'));
    first.close();
    const killed = [await primary(), ...(await replicas())];
    for (const pid of killed) process.kill(pid, 'SIGKILL');
    await until('they are gone', () => !killed.some(isAlive));

    await type(start);
    await allServe();
    const second = await Api.of(url, await setting('ADMIN_API_KEY'));
    expect((await second.get(`/v1/operations/${bought.id}`)).body).toEqual(bought);
    second.close();
  },
  blockMsMax,
);

test(
  'an upgrade and the way back, as the guide says, fail no request of 64 connections',
  async () => {
    await type(installAgain);
    const over = async (times: number): Promise<void> => {
      const done = async (): Promise<boolean> => (await said('the replacement is over')).length >= times;
      await until('the replacement is over', done, 300_000);
    };
    let done = false;
    const load = loadWithGrants(url, () => done, await setting('ADMIN_API_KEY'));
    await type(reload);
    await over(1);
    const upgraded = await releasesAtWork();
    await type(goBack);
    await over(2);
    const back = await releasesAtWork();
    done = true;
    const { report, granted } = await load;

    expect({ ...report, latencies: null }).toMatchObject({ unanswered: 0, retries: 0 });
    expect([...report.answeredByStatus.keys()]).toEqual([201]);
    expect(granted).toBeGreaterThan(500);
    await expectGranted(await setting('DATABASE_URL'), granted);
    // Each runs the Node of the release that `current` named when it was started; their names are their times.
    expect([upgraded.length, back.length]).toEqual([3, 3]);
    const [[newer = '', ...others], [older = '', ...rest]] = [upgraded, back];
    expect([others, rest]).toEqual([
      [newer, newer],
      [older, older],
    ]);
    expect(older < newer).toBe(true);
  },
  blockMsMax,
);

/** The folders of the releases whose Node the living replicas run. */
async function releasesAtWork(): Promise<string[]> {
  const living = (await replicas()).filter(isAlive);
  const nodes = await Promise.all(living.map((pid) => realpath(`/proc/${pid}/exe`)));
  return nodes.map((node) => node.slice(0, node.indexOf('/node_modules/')));
}
