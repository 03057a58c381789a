import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DevelopmentLog } from './development-log.ts';
import { exists, serverProcesses } from './server-processes.ts';
import { unless } from './system-error.ts';

/**
 * What a server writes about itself in `postmaster.pid` (src/include/utils/pidfile.h): line 1 its process, 3 when it
 * started, 4 its port, 8 its status. Lines that are not written yet are undefined.
 */
export interface PidFile {
  readonly processId: number | undefined;
  readonly startedAt: string | undefined;
  readonly port: number | undefined;
  readonly ready: boolean;
}

/** Reads a pid file's text, complete or not. */
export function parsePidFile(text: string): PidFile {
  const [processId, , startedAt, port, , , , status] = text.split('\n').map((line) => line.trim());
  return {
    processId: Number(processId) > 0 ? Number(processId) : undefined,
    startedAt: startedAt === '' ? undefined : startedAt,
    port: Number(port) > 0 ? Number(port) : undefined,
    ready: status === 'ready',
  };
}

/** The pid file of the server that runs, or ran, on this data directory; undefined if it stopped in order. */
export async function readPidFile(dataDirectory: string): Promise<PidFile | undefined> {
  const text = await unless(['ENOENT'], readFile(pidFilePath(dataDirectory), 'utf8'));
  return text === undefined ? undefined : parsePidFile(text);
}

/**
 * Removes a pid file that would keep PostgreSQL from starting although no server is behind it: its process number
 * now belongs to a stranger or to a zombie. PostgreSQL itself sees to the usual case, a number that nobody has.
 */
export async function clearStalePidFile(dataDirectory: string, log: DevelopmentLog): Promise<void> {
  const pidFile = await readPidFile(dataDirectory);
  if (pidFile === undefined) return;
  if (pidFile.processId === undefined && (await isYoung(pidFilePath(dataDirectory)))) return;
  if (pidFile.processId !== undefined && !exists(pidFile.processId)) return;
  // Without the file a server would not notice that others still have the shared memory of this directory.
  if ((await serverProcesses(dataDirectory)).length > 0) return;
  await rm(pidFilePath(dataDirectory), { force: true });
  log.warn(
    { dataDirectory, processId: pidFile.processId },
    'Removed the pid file of a PostgreSQL that is gone',
  );
}

function pidFilePath(dataDirectory: string): string {
  return join(dataDirectory, 'postmaster.pid');
}

/** A server that has just created its pid file has not written it yet. */
async function isYoung(path: string): Promise<boolean> {
  const found = await unless(['ENOENT'], stat(path));
  return found !== undefined && Date.now() - found.mtimeMs < 3000;
}
