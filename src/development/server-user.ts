import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** A user that PostgreSQL can run as when we are root, which it refuses to run as. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/** Nothing of our own environment: a `PGPORT` or a locale of the developer must not reach the server. */
export const serverEnvironment = { LC_ALL: 'C', PATH: '/usr/local/bin:/usr/bin:/bin' };

/** Tells whether we are root; throws where there are no POSIX users, which embedded PostgreSQL needs here. */
export function runsAsRoot(): boolean {
  if (process.getuid === undefined) {
    throw new Error(
      'Embedded PostgreSQL is supported on Linux and macOS. Set DATABASE_URL to use a server of yours.',
    );
  }
  return process.getuid() === 0;
}

/** The user that a new cluster is made for when we are root: `postgres` if the machine has one, else `nobody`. */
export async function defaultServerUser(): Promise<ServerUser> {
  const accounts = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const wanted of ['postgres', 'nobody']) {
    const [, , uid, gid] = accounts.find(([name]) => name === wanted) ?? [];
    if (Number(uid) > 0 && Number(gid) > 0) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error(
    'PostgreSQL does not run as root, and /etc/passwd has neither a user "postgres" nor "nobody". ' +
      'Start as an ordinary user, or set DATABASE_URL.',
  );
}

/**
 * Runs a program to its end as the server's user (undefined: as ourselves) and gives what it wrote.
 * Rejects when it fails or runs longer than `msMax`; it is killed then.
 */
export async function runAs(
  user: ServerUser | undefined,
  program: {
    readonly file: string;
    readonly args: readonly string[];
    readonly folder: string;
    readonly msMax: number;
  },
): Promise<string> {
  const { stdout } = await promisify(execFile)(program.file, program.args, {
    cwd: program.folder,
    env: serverEnvironment,
    timeout: program.msMax,
    killSignal: 'SIGKILL',
    ...(user ?? {}),
  });
  return stdout;
}
