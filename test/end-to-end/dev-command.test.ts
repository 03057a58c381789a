import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { removeServer } from '../support/abandoned-servers.ts';
import { CommandLine } from '../support/command-line.ts';
import type { Inventory, Receipt } from '../support/resources.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);

let folder: string;
let port: number;
const commands: CommandLine[] = [];

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-dev-')));
  // As root PostgreSQL runs as another user, who must get here.
  await chmod(folder, 0o755);
  port = await freePair();
});

afterAll(async () => {
  // All of them: a test that fails leaves its own running. Each was started here, and is known by its handle.
  for (const command of commands) command.process.kill('SIGKILL');
  await Promise.all(commands.map(({ ended }) => ended));
  await removeServer(join(folder, '.data', 'postgres'), { info: () => undefined, warn: () => undefined });
  await rm(folder, { recursive: true, force: true });
});

/** Two consecutive ports that are free. */
async function freePair(): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const candidate = 20_000 + Math.floor(Math.random() * 10_000);
    if ((await isFree(candidate)) && (await isFree(candidate + 1))) return candidate;
  }
  throw new Error('no two consecutive ports are free');
}

async function isFree(candidate: number): Promise<boolean> {
  const server = createServer();
  return await new Promise((resolve) => {
    server.once('error', () => {
      resolve(false);
    });
    server.listen(candidate, '127.0.0.1', () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}

interface Started {
  readonly command: CommandLine;
  readonly key: string;
  readonly curls: readonly string[];
}

/** Runs `holdfast dev --replicas 2` in the folder until it has said how to use it. */
async function start(): Promise<Started> {
  const started = new CommandLine(['dev', '--replicas', '2'], { env: { PORT: String(port) }, cwd: folder });
  commands.push(started);
  await started.says('Ctrl-C');
  const key = /^Admin API key: (\S+)$/m.exec(started.output)?.[1] ?? '';
  const curls = started.output.split('\n').filter((line) => line.startsWith('curl '));
  return { command: started, key, curls };
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly args: string;
}

async function processes(): Promise<Process[]> {
  const { stdout } = await run('ps', ['-eo', 'pid=,ppid=,args='], { maxBuffer: 16 * 1024 * 1024 });
  return stdout.split('\n').flatMap((line) => {
    const [, pid, parent, args] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return args === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), args }];
  });
}

/** It, what it started, what they started, and PostgreSQL, which is on its own. */
async function familyOf(pid: number): Promise<Process[]> {
  const all = await processes();
  const family = new Set([pid]);
  for (const { pid: postmaster, args } of all) if (args.includes(folder)) family.add(postmaster);
  for (let size = 0; size !== family.size;) {
    size = family.size;
    for (const { pid: child, parent } of all) if (family.has(parent)) family.add(child);
  }
  return all.filter((one) => family.has(one.pid) && !/\bps -eo\b/.test(one.args));
}

async function expectNobodyLeft(family: readonly Process[]): Promise<void> {
  let left: Process[] = [];
  await until('no process is left', async () => {
    const all = await processes();
    left = all.filter(
      ({ pid, args }) => family.some((one) => one.pid === pid && one.args === args) || args.includes(folder),
    );
    return left.length === 0;
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${JSON.stringify(left)}`);
  });
}

async function pasted(line: string): Promise<unknown> {
  const { stdout } = await run('bash', ['-c', line]);
  return JSON.parse(stdout);
}

async function stop(started: Started): Promise<void> {
  const family = await familyOf(started.command.process.pid ?? 0);
  // Itself, two replicas, the postmaster and its helpers.
  expect(family.length, JSON.stringify(family)).toBeGreaterThan(6);
  started.command.process.kill('SIGINT');
  expect(await started.command.ended, started.command.output).toEqual({ code: 0, signal: null });
  await expectNobodyLeft(family);
}

describe('holdfast dev', () => {
  let key: string;

  test('prints its addresses, a key and three lines to paste, which work', async () => {
    const started = await start();
    ({ key } = started);
    const { output } = started.command;
    for (const url of [`http://127.0.0.1:${port}`, `http://127.0.0.1:${port + 1}`]) {
      expect(output).toContain(url);
      expect((await fetch(`${url}/readyz`)).status).toBe(200);
      expect((await fetch(`${url}/v1/assets`, { headers: { authorization: `Bearer ${key}` } })).status).toBe(
        200,
      );
    }
    expect(key).toMatch(/^hf_\S{20,}$/);
    expect(started.curls).toHaveLength(3);
    const [grant = '', purchase = '', inventory = ''] = started.curls;
    expect((await pasted(grant)) as Receipt).toMatchObject({ type: 'grant', dryRun: false });
    const bought = (await pasted(purchase)) as Receipt;
    expect(bought).toMatchObject({ type: 'purchase', dryRun: false });
    let held = (await pasted(inventory)) as Inventory;
    await until('the purchase has earned experience', async () => {
      held = (await pasted(inventory)) as Inventory;
      return held.version === 3;
    });
    expect(held.holdings.find(({ asset }) => asset === 'xp')).toMatchObject({ quantity: 10, level: 1 });
    for (const { asset, balance } of bought.entries)
      expect(held.holdings.find((holding) => holding.asset === asset)?.quantity ?? 0).toBe(balance);
    // Pasted again they change nothing more.
    expect(await pasted(purchase)).toEqual(bought);
    expect(await pasted(inventory)).toEqual(held);
    await stop(started);
  }, 120_000);

  test('again in the same folder has the same key, and what was done before', async () => {
    const started = await start();
    expect(started.key).toBe(key);
    const [, , inventory = ''] = started.curls;
    const before = (await pasted(inventory)) as Inventory;
    expect(before).toMatchObject({ version: 3 });
    for (const line of started.curls) await pasted(line);
    expect(await pasted(inventory)).toEqual(before);
    await stop(started);
  }, 120_000);

  test('after SIGKILL leaves no replica, and a new run recovers', async () => {
    const killed = await start();
    const pid = killed.command.process.pid ?? 0;
    const replicas = (await familyOf(pid)).filter(({ args }) => /\bserve\b/.test(args));
    expect(replicas).toHaveLength(2);
    killed.command.process.kill('SIGKILL');
    expect(await killed.command.ended).toEqual({ code: null, signal: 'SIGKILL' });
    await until('the replicas have noticed', async () => {
      const running = new Set((await processes()).map((one) => one.pid));
      return replicas.every((one) => !running.has(one.pid));
    });
    const postmaster = (
      await readFile(join(folder, '.data/postgres/cluster/data/postmaster.pid'), 'utf8')
    ).split('\n')[0];
    expect((await processes()).map((one) => String(one.pid))).toContain(postmaster);
    const started = await start();
    expect(started.key).toBe(key);
    const [, , inventory = ''] = started.curls;
    expect(await pasted(inventory)).toMatchObject({ account: 'alice', version: 3 });
    await stop(started);
  }, 120_000);
});
