import { Logger } from 'graphile-worker';

/** Where it is told what becomes of jobs; a `pino` logger is one. */
export interface JobLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * graphile-worker's own messages in our log. Without the outcome of each job, which the runner tells by itself, and
 * without what they carry, except errors: a payload may hold what nobody should read.
 */
export function graphileLogger(log: JobLog): Logger {
  return new Logger(() => (level, message, meta) => {
    if (meta['failure'] === true || meta['success'] === true) return;
    const { error } = meta;
    log[levels[level]](error === undefined ? {} : { err: error }, `graphile-worker: ${message}`);
  });
}

/** One lower than there: that it has connected, for one, is nothing to tell an operator. */
const levels: Readonly<Record<'error' | 'warning' | 'info' | 'debug', keyof JobLog>> = {
  error: 'error',
  warning: 'warn',
  info: 'debug',
  debug: 'debug',
};
