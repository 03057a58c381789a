import { readdir, readFile } from 'node:fs/promises';

/** Processor time, in ms, that the parts of a measurement have used so far. */
export interface CpuTimes {
  readonly serverMs: number;
  /** All processes of PostgreSQL: backends, checkpointer, WAL writer, autovacuum. */
  readonly postgresMs: number;
  /** This process: the load generator. */
  readonly clientMs: number;
}

/** The kernel counts in ticks of USER_HZ, which is 100 on every architecture that Node runs on (man 7 time). */
const tickMs = 10;

/** Reads the times of now. Needs `/proc`: elsewhere the servers' are NaN. */
export async function cpuTimes(processes: { server: number; postgres: number }): Promise<CpuTimes> {
  const { user, system } = process.cpuUsage();
  return {
    serverMs: (await readTimes(processes.server))?.ownMs ?? NaN,
    postgresMs: await familyMs(processes.postgres),
    clientMs: (user + system) / 1000,
  };
}

export function difference(after: CpuTimes, before: CpuTimes): CpuTimes {
  return {
    serverMs: after.serverMs - before.serverMs,
    postgresMs: after.postgresMs - before.postgresMs,
    clientMs: after.clientMs - before.clientMs,
  };
}

/** A process, the children it has, and those that it had and has waited for. */
async function familyMs(processId: number): Promise<number> {
  const parent = await readTimes(processId);
  if (parent === undefined) return NaN;
  let sumMs = parent.ownMs + parent.endedChildrenMs;
  for (const name of await readdir('/proc')) {
    if (!/^[0-9]+$/.test(name)) continue;
    const times = await readTimes(Number(name));
    if (times?.parent === processId) sumMs += times.ownMs;
  }
  return sumMs;
}

interface ProcessTimes {
  readonly parent: number;
  readonly ownMs: number;
  readonly endedChildrenMs: number;
}

/** man 5 proc_pid_stat; undefined: there is no such process, or no `/proc`. */
async function readTimes(processId: number): Promise<ProcessTimes | undefined> {
  let stat: string;
  try {
    stat = await readFile(`/proc/${processId}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The second field is the name, in parentheses, and may hold anything; the third follows the last parenthesis.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3]);
  return {
    parent: field(4),
    ownMs: (field(14) + field(15)) * tickMs,
    endedChildrenMs: (field(16) + field(17)) * tickMs,
  };
}
