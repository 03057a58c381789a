import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { appendFile, chmod, chown, mkdir, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { defaultServerUser, runAs, runsAsRoot, type ServerUser } from '../../src/development/server-user.ts';
import { query } from './query.ts';
import { until } from './until.ts';

const programs = '/usr/lib/postgresql/15/bin';
const password = 'only-on-this-machine';

/** A folder that a PostgreSQL may keep its data in, and the user that it runs as (undefined: ourselves). */
export interface PostgresHome {
  readonly folder: string;
  readonly user: ServerUser | undefined;
  remove(): Promise<void>;
}

export async function createPostgresHome(): Promise<PostgresHome> {
  if (!existsSync(path.join(programs, 'initdb')))
    throw new Error(`there is no ${programs}/initdb: run scripts/install-system-packages.sh`);
  const user = runsAsRoot() ? await defaultServerUser() : undefined;
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-debian-'));
  await chmod(folder, 0o711);
  if (user !== undefined) await chown(folder, user.uid, user.gid);
  return { folder, user, remove: async () => await rm(folder, { recursive: true, force: true }) };
}

/** Debian's PostgreSQL 15 on a data folder, as its package would run it: durable, with passwords. */
export class DebianPostgres {
  readonly dataFolder: string;
  readonly port: number;
  readonly #home: PostgresHome;
  #process: ChildProcess | undefined;

  /** With a new cluster, whose superuser is `postgres`. */
  static async create(
    home: PostgresHome,
    name: string,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<DebianPostgres> {
    const dataFolder = path.join(home.folder, name);
    const passwordFile = path.join(home.folder, `${name}.password`);
    await appendFile(passwordFile, password);
    await runAs(home.user, {
      file: `${programs}/initdb`,
      args: [
        '-D',
        dataFolder,
        '-U',
        'postgres',
        '--auth=scram-sha-256',
        `--pwfile=${passwordFile}`,
        '-E',
        'UTF8',
      ],
      folder: home.folder,
      msMax: 60_000,
    });
    const lines = Object.entries(settings).map(([setting, value]) => `${setting} = '${value}'\n`);
    await appendFile(path.join(dataFolder, 'postgresql.conf'), lines.join(''));
    return await DebianPostgres.on(home, name);
  }

  /** On a data folder that is there already: a base backup, a standby. */
  static async on(home: PostgresHome, name: string): Promise<DebianPostgres> {
    return new DebianPostgres(home, path.join(home.folder, name), await freePort());
  }

  private constructor(home: PostgresHome, dataFolder: string, port: number) {
    this.#home = home;
    this.dataFolder = dataFolder;
    this.port = port;
  }

  url(database: string, user = 'postgres', secret = password): string {
    return `postgres://${user}:${secret}@127.0.0.1:${this.port}/${database}`;
  }

  /** Resolves when it answers queries. */
  async start(): Promise<void> {
    await using log = await open(`${this.dataFolder}.log`, 'a');
    const args = ['-D', this.dataFolder, '-p', String(this.port), '-h', '127.0.0.1', '-k', ''];
    const server = spawn(`${programs}/postgres`, args, {
      cwd: this.#home.folder,
      env: { LC_ALL: 'C', PATH: '/usr/bin:/bin' },
      stdio: ['ignore', log.fd, log.fd],
      ...(this.#home.user ?? {}),
    });
    this.#process = server;
    await until('PostgreSQL answers', async () => {
      if (server.exitCode !== null || server.signalCode !== null)
        throw new Error(`PostgreSQL ended:\n${await readFile(`${this.dataFolder}.log`, 'utf8')}`);
      return await query(this.url('postgres'), 'select 1').then(
        () => true,
        () => false,
      );
    });
  }

  /** As `systemctl stop` does; nothing where it does not run. */
  async stop(): Promise<void> {
    await this.#end((server) => server.kill('SIGINT'));
  }

  /** SIGKILL for every process of it, and its data is gone: what is left of a machine that burnt down. */
  async destroy(): Promise<void> {
    const postmaster = String(this.#process?.pid ?? '');
    const children = await readFile(`/proc/${postmaster}/task/${postmaster}/children`, 'utf8');
    await this.#end((server) => {
      server.kill('SIGKILL');
      for (const pid of children.split(' ').filter((word) => word !== '')) kill(Number(pid));
    });
    await rm(this.dataFolder, { recursive: true });
  }

  async #end(signal: (server: ChildProcess) => void): Promise<void> {
    const server = this.#process;
    this.#process = undefined;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    signal(server);
    await ended;
  }
}

/** One that has just ended by itself is none to kill. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** Runs a block of a document as the user that PostgreSQL runs as, and gives what it printed. */
export async function runBlock(
  home: PostgresHome,
  code: string,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const shell = spawn('bash', ['-euo', 'pipefail', '-c', code], {
    cwd: home.folder,
    env: { PATH: process.env['PATH'], HOME: home.folder, LC_ALL: 'C', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(home.user ?? {}),
  });
  let output = '';
  for (const stream of [shell.stdout, shell.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [exitCode] = (await once(shell, 'close')) as [number | null];
  if (exitCode !== 0) throw new Error(`exit code ${String(exitCode)} of:\n${code}\n${output}`);
  return output;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a listening socket has no port');
  return address.port;
}

/** The folder for a base backup or an archive, owned by the user of the server. */
export async function makeFolder(home: PostgresHome, name: string): Promise<string> {
  const folder = path.join(home.folder, name);
  await mkdir(folder, { mode: 0o700 });
  if (home.user !== undefined) await chown(folder, home.user.uid, home.user.gid);
  return folder;
}
