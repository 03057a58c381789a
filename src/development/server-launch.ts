import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, open } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { ServerFolder } from './server-folder.ts';
import { serverEnvironment } from './server-user.ts';

/** What decides how a server runs; the same for every try to start it. */
export interface LaunchPlan {
  readonly folder: ServerFolder;
  readonly postgres: string;
  readonly dataDirectory: string;
  /** undefined: a free one, chosen anew for every try. */
  readonly port: number | undefined;
  readonly durable: boolean;
  readonly settings: Readonly<Record<string, string>>;
}

/** A server process of ours, from its start on. */
export interface Launch {
  readonly processId: number;
  /** undefined while it runs. */
  exit(): { readonly description: string } | undefined;
  /** What was written to the log since this start, at most its last lines. */
  logTail(): Promise<string>;
}

const logTailBytesMax = 8192;
const logTailLinesMax = 20;

/** The file that a server's messages go to, also those of earlier starts. */
export function logFile(serverFolder: string): string {
  return join(serverFolder, 'server.log');
}

/**
 * Starts `postgres` in a session of its own, so that Ctrl-C in the terminal reaches only us and the server is
 * stopped last. It does not wait for it to be ready, and does not keep our process alive.
 */
export async function launchServer(plan: LaunchPlan): Promise<Launch> {
  const { folder, dataDirectory } = plan;
  const port = plan.port ?? (await freePort());
  const settings = {
    listen_addresses: '127.0.0.1',
    // The path of a socket may have 107 bytes at most, and nobody needs one.
    unix_socket_directories: '',
    port: String(port),
    logging_collector: 'off',
    log_destination: 'stderr',
    log_line_prefix: '%m [%p] %q%d ',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...(plan.durable
      ? { fsync: 'on', full_page_writes: 'on' }
      : { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' }),
    ...plan.settings,
  };
  await using log = await open(logFile(folder.path), 'a', 0o600);
  if (folder.user !== undefined) await chown(logFile(folder.path), folder.user.uid, folder.user.gid);
  const { size } = await log.stat();

  const child = spawn(
    plan.postgres,
    ['-D', dataDirectory, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    {
      cwd: dataDirectory,
      env: serverEnvironment,
      stdio: ['ignore', log.fd, log.fd],
      detached: true,
      ...(folder.user ?? {}),
    },
  );
  let exit: { description: string } | undefined;
  child.once('exit', (code, signal) => {
    exit = { description: signal === null ? `exit code ${String(code)}` : `signal ${signal}` };
  });
  await once(child, 'spawn');
  child.unref();
  if (child.pid === undefined) throw new Error('postgres was started but has no process id');
  return {
    processId: child.pid,
    exit: () => exit,
    logTail: async () => await readLogTail(folder.path, size),
  };
}

/** Bound for a moment and let go: another process can take it first, so the caller must be ready to try again. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a listening socket has no port');
  return address.port;
}

async function readLogTail(serverFolder: string, from: number): Promise<string> {
  await using log = await open(logFile(serverFolder), 'r');
  const { size } = await log.stat();
  const position = Math.max(from, size - logTailBytesMax);
  const { buffer, bytesRead } = await log.read(Buffer.alloc(logTailBytesMax), 0, logTailBytesMax, position);
  return buffer.toString('utf8', 0, bytesRead).trimEnd().split('\n').slice(-logTailLinesMax).join('\n');
}
