import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, chmod, chown, mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createServerFolder, removeServer } from '../../test/support/abandoned-servers.ts';
import { query } from '../../test/support/query.ts';
import { waitUntil } from './deadline.ts';
import {
  startEmbeddedPostgres,
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
} from './embedded-postgres.ts';
import { clusterFolder } from './server-folder.ts';
import { isServerProcess, serverProcesses } from './server-processes.ts';
import { runAs, runsAsRoot } from './server-user.ts';

const processFile = join(import.meta.dirname, '../../test/support/embedded-postgres-process.ts');
const nobody = { uid: 65534, gid: 65534 };
const folders: string[] = [];

afterAll(async () => {
  for (const folder of folders) await removeServer(folder, silent());
});

test('a fresh start makes a cluster that only its password opens, and stopping leaves no process', async () => {
  const dataFolder = await newFolder();
  const server = await start({ dataFolder, durable: true, settings: { max_connections: '42' } });
  expect(server.adopted).toBe(false);
  expect(server.dataFolder).toBe(dataFolder);
  const settings = await query(
    server.url('holdfast'),
    `select current_setting('server_version_num')::int / 10000 as major, current_setting('fsync') as fsync,
       current_setting('max_connections') as connections, current_setting('listen_addresses') as addresses,
       current_setting('unix_socket_directories') as sockets, getdatabaseencoding() as encoding,
       (select datlocale from pg_database where datname = current_database()) as locale`,
  );
  expect(settings.rows).toEqual([
    {
      major: 18,
      fsync: 'on',
      connections: '42',
      addresses: '127.0.0.1',
      sockets: '',
      encoding: 'UTF8',
      locale: 'C.UTF-8',
    },
  ]);

  const intruder = new URL(server.url('holdfast'));
  intruder.password = 'guessed';
  await expect(query(intruder.href, 'select 1')).rejects.toMatchObject({ code: '28P01' });
  expect((await stat(join(clusterFolder(dataFolder), 'password'))).mode & 0o777).toBe(0o600);
  expect((await stat(dataDirectory(dataFolder))).mode & 0o777).toBe(0o700);

  await Promise.all([server.stop(), server.stop()]);
  await server.stop();
  expect(await serverProcesses(dataDirectory(dataFolder))).toEqual([]);
  expect(await isServerProcess(server.processId, dataDirectory(dataFolder))).toBe(false);
});

describe('a folder used again and again', async () => {
  const dataFolder = await newFolder();

  beforeAll(async () => {
    const server = await start({ dataFolder, durable: true });
    await query(server.url('holdfast'), 'create table kept as select 7 as value');
    await server.stop();
  });

  test('a second start keeps the data, and takes the port it is given', async () => {
    const port = await freePort();
    const server = await start({ dataFolder, durable: true, port });
    expect(server.port).toBe(port);
    expect(await keptValue(server)).toBe(7);
    await server.stop();
  });

  test.each(['SIGINT', 'SIGKILL'] as const)(
    'a server outlives its starter killed by %s, and is adopted',
    async (signal) => {
      const { child, server } = await startProcess(dataFolder);
      // The whole group, as a terminal does it on Ctrl-C.
      process.kill(-processIdOf(child), signal);
      await once(child, 'exit');

      const adopter = await start({ dataFolder, port: 1 });
      expect(adopter).toMatchObject({ adopted: true, processId: server.processId });
      expect(await keptValue(adopter)).toBe(7);
      await adopter.stop();
      expect(await serverProcesses(dataDirectory(dataFolder))).toEqual([]);
    },
  );

  test('a server that was killed is started anew, while its backends are still dying', async () => {
    const killed = await start({ dataFolder });
    process.kill(killed.processId, 'SIGKILL');
    const server = await start({ dataFolder });
    expect(server.adopted).toBe(false);
    expect(server.processId).not.toBe(killed.processId);
    expect(await keptValue(server)).toBe(7);

    await killed.stop();
    expect(await keptValue(server)).toBe(7);
    await server.stop();
    expect(await serverProcesses(dataDirectory(dataFolder))).toEqual([]);
  });

  test('backends that compute and do not notice the death of their server are ended', async () => {
    const killed = await start({ dataFolder });
    const computing = query(
      killed.url('holdfast'),
      'select count(*) from generate_series(1, 1e9) /* computing */',
    );
    const ended = expect(computing).rejects.toThrow();
    const busy = `select 1 from pg_stat_activity where query like '%/* computing */' and state = 'active' and pid <> pg_backend_pid()`;
    const atWork = async (): Promise<boolean> => (await query(killed.url('holdfast'), busy)).rowCount === 1;
    expect(await waitUntil(atWork, 10_000)).toBe(true);
    process.kill(killed.processId, 'SIGKILL');

    const server = await start({ dataFolder });
    await ended;
    expect(await keptValue(server)).toBe(7);
    await server.stop();
    expect(await serverProcesses(dataDirectory(dataFolder))).toEqual([]);
  });

  test('stopping a server that is dead already waits for its last process', async () => {
    const server = await start({ dataFolder });
    process.kill(server.processId, 'SIGKILL');
    await server.stop();
    expect(await serverProcesses(dataDirectory(dataFolder))).toEqual([]);
  });

  test('a pid file is cleared when its number now is a stranger, a zombie or missing', async () => {
    const zombie = await makeZombie();
    try {
      for (const processId of [String(process.pid), String(zombie.processId), '']) {
        await leavePidFile(dataFolder, processId);
        const server = await start({ dataFolder });
        expect(server.adopted).toBe(false);
        await server.stop();
      }
    } finally {
      zombie.parent.kill('SIGKILL');
    }
  });

  test('a durable start refuses to share a server that runs without fsync', async () => {
    const server = await start({ dataFolder, durable: false });
    await expect(start({ dataFolder, durable: true })).rejects.toThrow('fsync off');
    expect(await keptValue(server)).toBe(7);
    await server.stop();
  });

  test('a start that fails says why, with the server’s own words', async () => {
    await expect(start({ dataFolder, settings: { work_mem: 'plenty' } })).rejects.toThrow(
      'invalid value for parameter "work_mem": "plenty"',
    );
    const occupant = createServer().listen(0, '127.0.0.1');
    await once(occupant, 'listening');
    const port = portOf(occupant.address());
    await expect(start({ dataFolder, port })).rejects.toThrow(`Port ${port} is in use.`);
    occupant.close();
    expect(await serverProcesses(dataDirectory(dataFolder))).toEqual([]);
  });

  test('a start that takes too long is given up, and leaves no process', async () => {
    await expect(start({ dataFolder, startMsMax: 0 })).rejects.toThrow('not ready within 0 ms');
    expect(await serverProcesses(dataDirectory(dataFolder))).toEqual([]);
  });
});

test('starters at the same moment share one server, and the last to stop stops it', async () => {
  const dataFolder = await newFolder();
  const [first, second, other] = await Promise.all([
    start({ dataFolder }),
    start({ dataFolder }),
    startProcess(dataFolder),
  ]);
  expect([first, second, other.server].filter((server) => !server.adopted)).toHaveLength(1);
  expect(new Set([first, second, other.server].map((server) => server.processId)).size).toBe(1);

  await first.stop();
  await query(second.url('holdfast'), 'select 1');
  other.child.send('stop');
  const [exit] = await Promise.all([once(other.child, 'exit'), second.stop()]);
  expect(exit).toEqual([0, null]);
  expect(await serverProcesses(dataDirectory(dataFolder))).toEqual([]);
});

test('an interrupted initdb is done again, and its remains are removed once nobody can be at work on them', async () => {
  const dataFolder = await newFolder();
  const child = forkProcess(dataFolder);
  const unfinished = async (): Promise<string[]> =>
    (await readdir(dataFolder)).filter((name) => name.startsWith('initdb-'));
  const halfWay = await waitUntil(async () => {
    const [name] = await unfinished();
    return name !== undefined && (await exists(join(dataFolder, name, 'data', 'base')));
  }, 10_000);
  expect(halfWay).toBe(true);
  process.kill(-processIdOf(child), 'SIGKILL');
  await once(child, 'exit');
  const [remains] = await unfinished();
  expect(remains).toBeDefined();
  expect(await exists(clusterFolder(dataFolder))).toBe(false);

  const server = await start({ dataFolder });
  expect(await unfinished()).toEqual([remains]);
  await server.stop();

  const longAgo = new Date(Date.now() - 3_600_000);
  await utimes(join(dataFolder, String(remains)), longAgo, longAgo);
  await (await start({ dataFolder })).stop();
  expect(await unfinished()).toEqual([]);
});

test('a cluster that is not whole, or of another version, is refused and left alone', async () => {
  const dataFolder = await newFolder();
  const place = clusterFolder(dataFolder);
  await chmod(dataFolder, 0o711);
  await mkdir(join(place, 'data'), { recursive: true });
  await writeFile(join(place, 'data', 'PG_VERSION'), '17\n');
  await expect(start({ dataFolder })).rejects.toThrow('the password is missing');
  await writeFile(join(place, 'password'), 'secret\n');
  await expect(start({ dataFolder })).rejects.toThrow('made by PostgreSQL 17');
  expect(await readFile(join(place, 'data', 'PG_VERSION'), 'utf8')).toBe('17\n');
});

if (runsAsRoot()) {
  test('for root, a folder that the server’s user cannot reach is replaced by the same one each time', async () => {
    const home = await newFolder();
    await chmod(home, 0o700);
    await writeFile(join(home, 'private'), '');
    const dataFolder = join(home, 'data');
    const log = recorder();
    const first = await start({ dataFolder, log });
    folders.push(first.dataFolder);
    expect(first.dataFolder).toMatch(/\/holdfast-[0-9a-f]{12}$/);
    expect(log.warnings).toContain(
      'PostgreSQL runs as another user than root, and that user cannot reach the data folder: using another one',
    );
    await query(first.url('holdfast'), 'create table kept as select 7 as value');
    await first.stop();

    // Also once the wanted one can be reached: the data is in the other.
    await chmod(home, 0o711);
    const second = await start({ dataFolder });
    expect(second.dataFolder).toBe(first.dataFolder);
    expect(await keptValue(second)).toBe(7);
    await second.stop();
  });
}

if (await canRunAsNobody()) {
  test('it works as an ordinary user, and root runs that user’s cluster as its owner', async () => {
    const dataFolder = await newFolder();
    await chown(dataFolder, nobody.uid, nobody.gid);
    const { child, server } = await startProcess(dataFolder, nobody);
    expect(server.dataFolder).toBe(dataFolder);
    await query(server.url, 'create table kept as select 7 as value');
    child.send('stop');
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(await serverProcesses(dataDirectory(dataFolder))).toEqual([]);

    const byRoot = await start({ dataFolder });
    expect((await stat(`/proc/${byRoot.processId}`)).uid).toBe(nobody.uid);
    expect(await keptValue(byRoot)).toBe(7);
    await byRoot.stop();

    const again = await startProcess(dataFolder, nobody);
    expect(again.server.adopted).toBe(false);
    again.child.send('stop');
    expect(await once(again.child, 'exit')).toEqual([0, null]);
  });
}

/** Only root can become someone else, and only where someone else can reach this clone. */
async function canRunAsNobody(): Promise<boolean> {
  if (!runsAsRoot() || process.platform !== 'linux') return false;
  try {
    await runAs(nobody, {
      file: process.execPath,
      args: ['--check', processFile],
      folder: '/',
      msMax: 10_000,
    });
    return true;
  } catch {
    return false;
  }
}

type StartOptions = Pick<EmbeddedPostgresOptions, 'dataFolder'> & Partial<EmbeddedPostgresOptions>;

async function start(options: StartOptions): Promise<EmbeddedPostgres> {
  return await startEmbeddedPostgres({ durable: false, log: silent(), ...options });
}

interface ProcessServer {
  readonly processId: number;
  readonly url: string;
  readonly adopted: boolean;
  readonly dataFolder: string;
}

/** A starter in a process, and a process group, of its own. */
function forkProcess(dataFolder: string, user?: typeof nobody): ChildProcess {
  return fork(processFile, [dataFolder], { execArgv: [], detached: true, ...user });
}

async function startProcess(
  dataFolder: string,
  user?: typeof nobody,
): Promise<{ child: ChildProcess; server: ProcessServer }> {
  const child = forkProcess(dataFolder, user);
  const answer = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then((exit) => Promise.reject(new Error(`the starter ended: ${String(exit)}`))),
  ]);
  return { child, server: answer[0] as ProcessServer };
}

function processIdOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error('the process did not start');
  return child.pid;
}

async function newFolder(): Promise<string> {
  const folder = await createServerFolder();
  folders.push(folder);
  return folder;
}

function dataDirectory(dataFolder: string): string {
  return join(clusterFolder(dataFolder), 'data');
}

async function keptValue(server: EmbeddedPostgres): Promise<unknown> {
  return (await query(server.url('holdfast'), 'select value from kept')).rows[0]?.['value'];
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

/** Writes what a server with this process number would have left, and makes it old. */
async function leavePidFile(dataFolder: string, processId: string): Promise<void> {
  const path = join(dataDirectory(dataFolder), 'postmaster.pid');
  const text = `${processId}\n${dataDirectory(dataFolder)}\n1700000000\n5432\n\n127.0.0.1\n 0 0\nready   \n`;
  await writeFile(path, processId === '' ? '' : text);
  const { uid, gid } = await stat(dataDirectory(dataFolder));
  await chown(path, uid, gid);
  await utimes(path, 1_700_000_000, 1_700_000_000);
}

/** A process that has ended and whose parent never asks how. */
async function makeZombie(): Promise<{ processId: number; parent: ChildProcess }> {
  const parent = spawn('/bin/sh', ['-c', 'true & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  return { processId: Number(line.toString()), parent };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const port = portOf(server.address());
  server.close();
  await once(server, 'close');
  return port;
}

function portOf(address: ReturnType<ReturnType<typeof createServer>['address']>): number {
  if (address === null || typeof address === 'string') throw new Error('not listening on a port');
  return address.port;
}

function silent(): EmbeddedPostgresOptions['log'] {
  return { info: () => undefined, warn: () => undefined };
}

function recorder(): EmbeddedPostgresOptions['log'] & { readonly warnings: string[] } {
  const warnings: string[] = [];
  return { info: () => undefined, warn: (_fields, message) => warnings.push(message), warnings };
}
