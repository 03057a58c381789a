import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** A replica that runs as a process of its own. */
export interface ReplicaProcess {
  readonly url: string;
  readonly pid: number;
  /** Resolves when it has ended, however that came about. */
  readonly ended: Promise<ReplicaEnd>;
  /** Lets it finish, by SIGTERM; kills it when that takes too long. */
  stop(timeoutMs?: number): Promise<ReplicaEnd>;
  kill(signal: NodeJS.Signals): void;
}

/** One of the two is set. */
export interface ReplicaEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ReplicaProcessOptions {
  /** The command line's own file: `holdfast serve` of it is what runs. */
  readonly entry: string;
  /** All of its environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What becomes of its output: a file's descriptor, for one. Default: shown as ours. */
  readonly output?: 'inherit' | 'ignore' | number;
  readonly startTimeoutMs?: number;
}

/**
 * Starts a replica, and resolves when it serves. It is in a process group of its own, so that a Ctrl-C meant for us
 * does not hit it as well; and it stops by itself when we are gone, because the channel between us closes.
 */
export async function startReplica(options: ReplicaProcessOptions): Promise<ReplicaProcess> {
  const { entry, env, output = 'inherit', startTimeoutMs = 60_000 } = options;
  const child = fork(entry, ['serve'], {
    env,
    detached: true,
    stdio: ['ignore', output, output, 'ipc'],
  });
  const ended = endOf(child);
  const url = await servingUrl(child, ended, startTimeoutMs);
  return {
    url,
    pid: child.pid ?? 0,
    ended,
    kill: (signal) => {
      child.kill(signal);
    },
    stop: async (timeoutMs = 60_000) => {
      child.kill('SIGTERM');
      const timer = new AbortController();
      const late = sleep(timeoutMs, null, { signal: timer.signal }).catch(() => null);
      if ((await Promise.race([ended, late])) === null) child.kill('SIGKILL');
      timer.abort();
      return await ended;
    },
  };
}

/** What a replica tells the process that started it, once it listens. */
export interface ServingMessage {
  /** Its URL. */
  readonly serving: string;
}

async function servingUrl(
  child: ChildProcess,
  ended: Promise<ReplicaEnd>,
  timeoutMs: number,
): Promise<string> {
  const timer = new AbortController();
  try {
    const first = await Promise.race([
      once(child, 'message', { signal: timer.signal }).then(([message]) => message as ServingMessage),
      ended.then(({ code, signal }) => {
        throw new Error(`the replica ended (${signal ?? `exit code ${code}`}) before it served`);
      }),
      sleep(timeoutMs, null, { signal: timer.signal }),
    ]);
    if (first !== null) return first.serving;
    child.kill('SIGKILL');
    throw new Error(`the replica did not serve within ${timeoutMs} ms`);
  } finally {
    timer.abort();
  }
}

async function endOf(child: ChildProcess): Promise<ReplicaEnd> {
  return await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      resolve({ code, signal });
    });
  });
}
