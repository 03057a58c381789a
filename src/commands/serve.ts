import { readConfig } from '../config.ts';
import type { ServingMessage } from '../lifecycle/replica-process.ts';
import { startService } from '../lifecycle/service.ts';
import { onStopSignal } from '../lifecycle/signals.ts';
import { createLogger } from '../observability/logging.ts';
import { version } from '../version.ts';

/**
 * Serves until SIGTERM or SIGINT, and answers the exit code: 0 only when everything was drained. A second signal ends
 * the process at once. Where another process started this one, its end is taken for a signal.
 */
export async function serve(): Promise<number> {
  const config = readConfig();
  const { log, flush } = createLogger({ level: config.LOG_LEVEL, version });
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'uncaught exception');
    flush();
    process.exit(1);
  });
  try {
    const service = await startService(config, { log, version });
    const serving: ServingMessage = { serving: service.url };
    process.send?.(serving);
    const signal = await stopSignal(() => {
      log.error('a second signal: exiting without draining');
      flush();
      process.exit(1);
    });
    log.info({ signal }, 'stopping');
    const drained = await service.stop();
    log.info({ drained }, 'stopped');
    return drained ? 0 : 1;
  } catch (error) {
    log.fatal({ err: error }, 'could not serve');
    return 1;
  } finally {
    flush();
    if (process.connected) process.disconnect();
  }
}

async function stopSignal(force: () => void): Promise<string> {
  return await new Promise((resolve) => {
    onStopSignal({ stop: resolve, force });
    process.once('disconnect', () => {
      resolve('the parent process is gone');
    });
  });
}
