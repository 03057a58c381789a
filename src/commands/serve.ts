import cluster from 'node:cluster';
import { readConfig } from '../config.ts';
import { createLogger } from '../observability/logging.ts';
import { version } from '../version.ts';

/**
 * Serves until SIGTERM or SIGINT, and answers the exit code: 0 only when everything was drained. A second signal ends
 * it at once. With WORKERS of 2 or more this process serves nothing itself: it runs that many replicas, and SIGHUP
 * replaces them by the code that is on disk by then.
 */
export async function serve(): Promise<number> {
  // A reload that comes before there is anything to replace must not end the process.
  process.on('SIGHUP', () => undefined);
  const config = readConfig();
  const { log, flush } = createLogger({ level: config.LOG_LEVEL, version });
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'uncaught exception');
    flush();
    process.exit(1);
  });
  try {
    // Each is loaded alone, so that the process that only looks after others stays small.
    if (config.WORKERS > 1 && cluster.isPrimary) {
      const { serveWorkers } = await import('./serve-workers.ts');
      return await serveWorkers(config, { log, flush });
    }
    const { serveReplica } = await import('./serve-replica.ts');
    return await serveReplica(config, { log, flush, version });
  } catch (error) {
    log.fatal({ err: error }, 'could not serve');
    return 1;
  } finally {
    flush();
    if (process.connected) process.disconnect();
  }
}
