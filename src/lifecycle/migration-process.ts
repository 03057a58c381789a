import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { SupervisorLog } from './supervisor.ts';

/**
 * Runs `holdfast migrate` of the file `entry` as it is on disk now, in a process of its own: this one may be of an older
 * version. Answers whether it succeeded, and logs what it said. `signal` ends it; what it had begun is then rolled back.
 */
export async function migrateInProcess(options: {
  readonly entry: string;
  readonly log: SupervisorLog;
  readonly signal: AbortSignal;
}): Promise<boolean> {
  const { entry, log, signal } = options;
  try {
    const child = spawn(process.execPath, [entry, 'migrate'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      signal,
    });
    const [[code, killedBy], ...said] = await Promise.all([
      once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>,
      text(child.stdout),
      text(child.stderr),
    ]);
    const output = said.join('').trim();
    if (code === 0) log.info({ output }, 'migrated by the code that is on disk');
    else log.error({ output, end: killedBy ?? code }, notMigrated);
    return code === 0;
  } catch (error) {
    log.error({ err: error }, notMigrated);
    return false;
  }
}

const notMigrated = 'the code that is on disk could not migrate the database: the replicas are left in place';
