import { pino, type Logger } from 'pino';

export interface LoggingSettings {
  readonly level: string;
  readonly version: string;
  /** Of an open file to write to. Default: standard output. */
  readonly fd?: number;
}

/**
 * What is written in one go at most, in whole lines: several replicas may write to one pipe, and it keeps apart what is
 * no longer than this (PIPE_BUF).
 */
const writeBytesMax = 4096;
/** Lines wait for so many bytes, or so long, before they are written. */
const bufferBytes = 4000;
const flushEveryMs = 200;

/**
 * A logger that writes JSON lines to standard output. What could be a secret is left out, also where it turns up in an
 * error or in the headers of a request. A graceful exit loses no line, a kill the last 200 ms of them at most.
 */
export function createLogger({ level, version, fd = 1 }: LoggingSettings): {
  log: Logger;
  flush: () => void;
} {
  const destination = pino.destination({
    dest: fd,
    sync: false,
    minLength: bufferBytes,
    maxWrite: writeBytesMax,
    periodicFlush: flushEveryMs,
  });
  const log = pino(
    {
      level,
      base: { version, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: secretPaths, censor: '(secret)' },
    },
    destination,
  );
  return {
    log,
    flush: () => {
      destination.flushSync();
    },
  };
}

const secretNames = ['authorization', 'cookie', 'password', 'secret', 'token', 'connectionString'];
const secretPaths = secretNames.flatMap((name) => [name, `*.${name}`, `*.*.${name}`, `*.*.*.${name}`]);
