import { execFile } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import { waitUntil } from './deadline.ts';
import type { DevelopmentLog } from './development-log.ts';
import { errorCode, unless } from './system-error.ts';

/** What the system answers about a process that has gone, or is not ours to look at. */
const unknownProcess = ['ENOENT', 'ESRCH', 'EACCES', 'EPERM'];

/**
 * True only for a living process of PostgreSQL that works in this data directory (its canonical path): a number in a
 * pid file may since have gone to a stranger, and a zombie that nobody reaps would look alive to PostgreSQL for ever.
 * Without `/proc` it can only tell that the process is PostgreSQL's.
 */
export async function isServerProcess(processId: number, dataDirectory: string): Promise<boolean> {
  if (process.platform === 'linux') {
    // Every process of a server works in the data directory; its title and parent change, this does not.
    const folder = await unless(unknownProcess, readlink(`/proc/${processId}/cwd`));
    if (folder !== dataDirectory && folder !== `${dataDirectory} (deleted)`) return false;
    return (await readProcess(processId, 'comm'))?.trim() === 'postgres';
  }
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'stat=,comm=', '-p', String(processId)], {
      timeout: 5000,
    });
    return /^[^Z]\S*\s.*postgres/.test(stdout.trim());
  } catch {
    return false;
  }
}

/** Every process that works in this data directory; without `/proc` it cannot tell, and says none. */
export async function serverProcesses(dataDirectory: string): Promise<number[]> {
  const candidates = (await unless(['ENOENT'], readdir('/proc'))) ?? [];
  const found: number[] = [];
  for (const processId of candidates.filter((name) => /^\d+$/.test(name)).map(Number)) {
    if (await isServerProcess(processId, dataDirectory)) found.push(processId);
  }
  return found;
}

/**
 * Resolves when no process of the server is left: a fast shutdown, after a bounded wait an immediate one, after
 * another SIGKILL. Nothing happens to a server that is dead already, or to a newer one on the same data directory.
 * Throws if even that leaves something.
 */
export async function stopServer(server: {
  readonly processId: number;
  readonly dataDirectory: string;
  readonly log: DevelopmentLog;
}): Promise<void> {
  const { processId, dataDirectory, log } = server;
  const steps = [
    { signal: 'SIGINT', waitMsMax: 20_000 },
    { signal: 'SIGQUIT', waitMsMax: 10_000 },
    { signal: 'SIGKILL', waitMsMax: 5_000 },
  ] as const;
  const gone = async (): Promise<boolean> => !(await isServerProcess(processId, dataDirectory));
  for (const { signal, waitMsMax } of steps) {
    if (await gone()) break;
    if (signal !== 'SIGINT') log.warn({ processId, signal }, 'PostgreSQL does not stop: trying harder');
    send(processId, signal);
    if (await waitUntil(gone, waitMsMax)) break;
  }
  if (!(await gone()) || !(await endOrphans(dataDirectory))) {
    throw new Error(`PostgreSQL (process ${processId}, ${dataDirectory}) could not be stopped`);
  }
}

/**
 * Ends what a postmaster that was killed has left, and tells whether it is gone. Most of it goes by itself, but a
 * backend that computes does not notice until its query is done, and no server can start before that.
 */
export async function endOrphans(dataDirectory: string): Promise<boolean> {
  return await waitUntil(async () => {
    const orphans = await orphanProcesses(dataDirectory);
    // An immediate shutdown; its handler also interrupts a computation.
    for (const processId of orphans) send(processId, 'SIGQUIT');
    return orphans.length === 0;
  }, 10_000);
}

/** Backends and workers, by their title, whose parent is no longer a process of the server. */
async function orphanProcesses(dataDirectory: string): Promise<number[]> {
  const processIds = await serverProcesses(dataDirectory);
  const orphans: number[] = [];
  for (const processId of processIds) {
    const title = await readProcess(processId, 'cmdline');
    const parent = /^PPid:\s*(\d+)$/m.exec((await readProcess(processId, 'status')) ?? '')?.[1];
    if (title?.startsWith('postgres: ') !== true || parent === undefined) continue;
    if (!(await isServerProcess(Number(parent), dataDirectory))) orphans.push(processId);
  }
  return orphans;
}

async function readProcess(
  processId: number,
  file: 'cmdline' | 'comm' | 'status',
): Promise<string | undefined> {
  return await unless(unknownProcess, readFile(`/proc/${processId}/${file}`, 'utf8'));
}

/** Whether anything has this process number, be it a stranger or a zombie. */
export function exists(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}

/** Whether a process of this number is still at work; one that has ended and was not yet reaped is not. */
export async function isAlive(processId: number): Promise<boolean> {
  const state = /^State:\s*(\S)/m.exec((await readProcess(processId, 'status')) ?? '')?.[1];
  return state === undefined ? exists(processId) : !['Z', 'X'].includes(state);
}

function send(processId: number, signal: NodeJS.Signals): void {
  try {
    process.kill(processId, signal);
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}
