import cluster from 'node:cluster';
import type { ReplicaEnd, ServingMessage } from './replica-process.ts';

/** What a primary sends to a replica that another has replaced. */
export const handOverMessage = 'hand over';

/** What a replica tells its primary once it listens. */
export interface WorkerServingMessage extends ServingMessage {
  readonly version: string;
}

/** How a replica's start went. */
export type WorkerStart =
  | { readonly served: true; readonly url: string; readonly version: string }
  | { readonly served: false; readonly reason: string };

/** A replica that shares its port with others: a worker of `node:cluster`. */
export interface WorkerProcess {
  /** 0: there is no process, because none could be made. */
  readonly pid: number;
  /** Resolves when it serves, or never will. One that takes too long is killed. */
  readonly started: Promise<WorkerStart>;
  /** Resolves when it has ended, however that came about. */
  readonly ended: Promise<ReplicaEnd>;
  /** Tells it that another serves in its place: it drains, and ends. */
  handOver(): void;
  kill(signal: NodeJS.Signals): void;
}

/**
 * Lets `startWorker` run `holdfast serve` of the file `entry`, as it is on disk at each start. The replicas accept from one
 * shared socket, which nobody else reads: what waits in it when one of them stops, or is killed, is accepted by another.
 */
export function setUpWorkers({ entry }: { entry: string }): void {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  cluster.setupPrimary({ exec: entry, args: ['serve'] });
}

/** Starts a replica. It stops by itself when we are gone, because the channel between us closes. */
export function startWorker({ startTimeoutMs }: { startTimeoutMs: number }): WorkerProcess {
  const worker = cluster.fork();
  const start = Promise.withResolvers<WorkerStart>();
  const end = Promise.withResolvers<ReplicaEnd>();
  const timer = setTimeout(() => {
    start.resolve({ served: false, reason: `it did not serve within ${startTimeoutMs} ms` });
    worker.process.kill('SIGKILL');
  }, startTimeoutMs);
  worker.once('message', ({ serving, version }: WorkerServingMessage) => {
    clearTimeout(timer);
    start.resolve({ served: true, url: serving, version });
  });
  worker.once('exit', (code, signal) => {
    clearTimeout(timer);
    // One of the two is null, whatever its type says.
    const ended = { code, signal: signal as NodeJS.Signals };
    start.resolve({ served: false, reason: `it ended (${describeEnd(ended)}) before it served` });
    end.resolve(ended);
  });
  worker.on('error', (error) => {
    // Of a living process it only says that a message did not get through: its end will tell.
    if (worker.process.pid !== undefined) return;
    clearTimeout(timer);
    start.resolve({ served: false, reason: `no process could be started: ${error.message}` });
    end.resolve({ code: 1, signal: null });
  });
  return {
    pid: worker.process.pid ?? 0,
    started: start.promise,
    ended: end.promise,
    handOver: () => {
      if (worker.isConnected()) worker.send(handOverMessage);
    },
    kill: (signal) => {
      worker.process.kill(signal);
    },
  };
}

export function describeEnd({ code, signal }: ReplicaEnd): string {
  return signal ?? `exit code ${String(code)}`;
}
