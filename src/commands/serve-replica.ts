import cluster from 'node:cluster';
import type { Logger } from 'pino';
import type { Config } from '../config/settings.ts';
import { startService } from '../lifecycle/service.ts';
import type { Departure } from '../lifecycle/shutdown-steps.ts';
import { onStopSignal } from '../lifecycle/signals.ts';
import { handOverMessage, type WorkerServingMessage } from '../lifecycle/worker-process.ts';

/**
 * Serves one replica until it is told to stop, and answers the exit code. The process that started it may also tell it
 * to hand over to its successor; that process's end is a reason to stop, too.
 */
export async function serveReplica(
  config: Config,
  { log, flush, version }: { log: Logger; flush: () => void; version: string },
): Promise<number> {
  // From the beginning: a signal that comes during the start must not cut off what has been accepted by then.
  const told = toldToStop(() => {
    log.error('a second signal: exiting without draining');
    flush();
    process.exit(1);
  });
  process.on('SIGHUP', () => {
    // In a terminal that closes it reaches the replicas as well.
    if (cluster.isPrimary)
      log.warn(
        'SIGHUP replaces replicas where WORKERS is 2 or more; this one must be restarted to be changed',
      );
  });
  const service = await startService(config, { log, version });
  const serving: WorkerServingMessage = { serving: service.url, version };
  process.send?.(serving);
  const { reason, departure } = await told;
  log.info({ reason, departure }, 'stopping');
  const drained = await service.stop(departure);
  log.info({ drained }, 'stopped');
  return drained ? 0 : 1;
}

interface Order {
  readonly reason: string;
  readonly departure: Departure;
}

async function toldToStop(force: () => void): Promise<Order> {
  // Left alone, node:cluster ends a worker on the spot when its primary is gone.
  if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true;
  return await new Promise((resolve) => {
    onStopSignal({
      stop: (signal) => {
        resolve({ reason: signal, departure: 'leaving' });
      },
      force,
    });
    process.on('message', (message) => {
      if (message === handOverMessage)
        resolve({ reason: 'another replica has taken over', departure: 'handing over' });
    });
    process.once('disconnect', () => {
      // The port should be free for whoever is started in place of us all.
      const departure = cluster.isWorker ? 'handing over' : 'leaving';
      resolve({ reason: 'the parent process is gone', departure });
    });
  });
}
