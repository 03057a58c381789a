import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, readlink } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach } from 'vitest';
import type { ServingMessage } from '../../src/lifecycle/replica-process.ts';

const running = new Set<ChildProcess>();

afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
  running.clear();
});

/** What a process that has stopped still has. */
export interface Remains {
  /** By the process’s own account: handles and timers, also those that would not keep it alive; with where they come from. */
  readonly left: readonly string[];
  /** What would keep it alive. */
  readonly active: readonly string[];
  /** By the system’s account: TCP connections and listeners. */
  readonly sockets: readonly string[];
  /** By the system’s account. */
  readonly children: readonly string[];
}

export interface ObservedEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** It was not ended: it had nothing left to do. */
  readonly byItself: boolean;
}

const observer = new URL('observer-process.ts', import.meta.url).href;

/** A process that tells, and shows, what it has left open when it has stopped. */
export class ObservedProcess {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #pipe: Duplex;
  readonly #reports: AsyncIterator<string, unknown>;
  readonly #ended: Promise<[number | null, NodeJS.Signals | null]>;

  /** `preloaded`: modules that are loaded before it. */
  static async start(
    entry: string,
    {
      env,
      preloaded = [],
    }: { env: Readonly<Record<string, string | undefined>>; preloaded?: readonly string[] },
  ): Promise<ObservedProcess> {
    const child = fork(entry, ['serve'], {
      env,
      execArgv: [observer, ...preloaded].flatMap((module) => ['--import', module]),
      stdio: ['ignore', 'ignore', 'ignore', 'ipc', 'pipe'],
    });
    running.add(child);
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`the process ended (exit code ${String(code)}) before it served`);
    });
    const [message] = (await Promise.race([once(child, 'message'), ended])) as [ServingMessage];
    ended.catch(() => undefined);
    return new ObservedProcess(child, message.serving);
  }

  private constructor(child: ChildProcess, url: string) {
    this.url = url;
    this.#child = child;
    // The pipe that it was given, which goes both ways.
    this.#pipe = child.stdio[4] as Duplex;
    const lines = createInterface({ input: this.#pipe });
    this.#reports = lines[Symbol.asyncIterator]();
    this.#ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Sends SIGTERM, and resolves when it says that it has stopped; it then stands still until `release`. */
  async stop(): Promise<Remains> {
    this.#child.kill('SIGTERM');
    const { left, active } = (await this.#report()) as Pick<Remains, 'left' | 'active'>;
    return { left, active, sockets: await socketsOf(this.pid), children: await childrenOf(this.pid) };
  }

  /** Lets it go on to its end, which should be at once. */
  async release(): Promise<ObservedEnd> {
    this.#pipe.end();
    const told = this.#report();
    const [code, signal] = await this.#ended;
    running.delete(this.#child);
    return { code, signal, byItself: (await told) !== undefined };
  }

  /** Undefined: it ended without another word. */
  async #report(): Promise<unknown> {
    const next = await this.#reports.next();
    return next.done === true ? undefined : JSON.parse(next.value);
  }
}

/** A replica of this checkout, or a module beside this one. */
export const bareEntry = fileURLToPath(new URL('bare-process.ts', import.meta.url));

async function childrenOf(pid: number): Promise<readonly string[]> {
  const threads = await readdir(`/proc/${pid}/task`);
  const lists = await Promise.all(
    threads.map(async (thread) => await readFile(`/proc/${pid}/task/${thread}/children`, 'utf8')),
  );
  return lists.flatMap((list) => list.split(' ').filter((child) => child !== ''));
}

/** In no state but closed: a descriptor that is closed is in no list. */
async function socketsOf(pid: number): Promise<readonly string[]> {
  const fds = await readdir(`/proc/${pid}/fd`);
  const targets = await Promise.all(
    fds.map(async (fd) => await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')),
  );
  const inodes = new Set(targets.map((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1]));
  const tables = await Promise.all(
    ['tcp', 'tcp6', 'udp', 'udp6'].map(async (table) => await readFile(`/proc/${pid}/net/${table}`, 'utf8')),
  );
  return tables
    .flatMap((table) => table.trim().split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => inodes.has(columns[9]))
    .map(([, local = '', remote = '']) => `${address(local)} to ${address(remote)}`);
}

/** The port is what tells; `0100007F:1F90` is 127.0.0.1:8080. */
function address(hex: string): string {
  const [, port = ''] = hex.split(':');
  return `port ${parseInt(port, 16)}`;
}
