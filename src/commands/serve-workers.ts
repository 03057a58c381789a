import path from 'node:path';
import type { Logger } from 'pino';
import type { Config } from '../config/settings.ts';
import { migrateInProcess } from '../lifecycle/migration-process.ts';
import { RestartBackoff } from '../lifecycle/restart-backoff.ts';
import { onStopSignal } from '../lifecycle/signals.ts';
import { Supervisor } from '../lifecycle/supervisor.ts';
import { setUpWorkers, startWorker } from '../lifecycle/worker-process.ts';

/** A replica stops by itself within SHUTDOWN_TIMEOUT; one that has not by so much later never will. */
const stopMarginMs = 5000;

/**
 * Runs WORKERS replicas behind one port until it is told to stop, and answers the exit code. It reads no request and
 * opens no connection to the database itself.
 */
export async function serveWorkers(
  config: Config,
  { log, flush }: { log: Logger; flush: () => void },
): Promise<number> {
  const entry = process.argv[1] ?? '';
  // As it was called, possibly through a link that names the current release: the file behind it may be gone one day.
  if (path.isAbsolute(process.argv0)) process.execPath = process.argv0;
  setUpWorkers({ entry });
  const stopped = new AbortController();
  const supervisor = new Supervisor({
    size: config.WORKERS,
    startWorker: () => startWorker({ startTimeoutMs: config.WORKER_START_TIMEOUT }),
    migrate: async () => await migrateInProcess({ entry, log, signal: stopped.signal }),
    backoff: new RestartBackoff({
      baseMs: config.WORKER_RESTART_BACKOFF,
      maxMs: config.WORKER_RESTART_BACKOFF_MAX,
    }),
    stopTimeoutMs: config.SHUTDOWN_TIMEOUT + stopMarginMs,
    log,
  });

  let drained: Promise<boolean> | undefined;
  const stop = async (): Promise<boolean> => {
    stopped.abort();
    return await (drained ??= supervisor.stop());
  };
  onStopSignal({
    stop: (signal) => {
      log.info({ signal }, 'stopping all replicas');
      stop().catch(fail);
    },
    force: () => {
      log.error('a second signal: the replicas are killed');
      supervisor.kill();
      flush();
      process.exit(1);
    },
  });
  // Where another process has started this one, its end is taken for a signal.
  process.once('disconnect', () => {
    stop().catch(fail);
  });
  process.on('SIGHUP', () => {
    log.info('SIGHUP: the database is migrated and the replicas are replaced by the code that is on disk');
    supervisor.replaceAll().catch(fail);
  });
  const fail = (error: unknown): never => {
    throw error;
  };

  const url = await supervisor.start();
  if (url !== null) {
    log.info({ url, replicas: config.WORKERS }, 'serving');
    process.send?.({ serving: url });
    await supervisor.keep();
  }
  const failed = url === null && !stopped.signal.aborted;
  const clean = await stop();
  log.info({ drained: clean }, 'stopped');
  return clean && !failed ? 0 : 1;
}
