import type { Client } from 'pg';
import { openCluster } from './cluster.ts';
import { Deadline } from './deadline.ts';
import type { DevelopmentLog } from './development-log.ts';
import { locateInstalled, prepareBinaries } from './postgres-binaries.ts';
import { clearStalePidFile, readPidFile } from './pid-file.ts';
import { chooseServerFolder } from './server-folder.ts';
import { launchServer, logFile, type Launch, type LaunchPlan } from './server-launch.ts';
import { endOrphans, isServerProcess, stopServer } from './server-processes.ts';
import { errorCode } from './system-error.ts';
import { Tenancy } from './tenancy.ts';

/** A PostgreSQL that runs beside this process, for development and tests. */
export interface EmbeddedPostgres {
  /** The server ran already: left behind by a crash, or shared with another process that uses the same folder. */
  readonly adopted: boolean;
  readonly processId: number;
  readonly port: number;
  /** Where it really lies: not the wanted folder when that could not be used (see `chooseServerFolder`). */
  readonly dataFolder: string;
  readonly logFile: string;
  /** A connection string, with the superuser's password, for a database of this server. */
  url(database: string): string;
  /**
   * Resolves when no process of the server is left, or when it was left to another process that still uses it.
   * May be called any number of times, and when the server is dead already. Open connections are cut.
   */
  stop(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** Holds the cluster, its password and the server's log. Created if missing. */
  readonly dataFolder: string;
  /** Default: any free port of 127.0.0.1. A server that runs already keeps its own. */
  readonly port?: number;
  /** false: a crash of the machine may cost the data, and everything is faster. For tests. */
  readonly durable: boolean;
  /** Further settings of the server (`postgresql.conf`), each as text. A server that runs already keeps its own. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly log: DevelopmentLog;
  /** How long all of a start may take after the cluster is made; it covers recovery after a crash. Default: 60 s. */
  readonly startMsMax?: number;
}

const database = 'holdfast';

/**
 * Gives a running PostgreSQL 18 on the cluster in this folder, with a database `holdfast`.
 *
 * It makes the cluster if there is none, adopts a server that a crashed process left behind, waits for one that is
 * starting or stopping, and starts one otherwise. Several processes may call it for the same folder at once: one
 * starts the server, the others adopt it, the last to stop it really stops it.
 *
 * Throws, with the last lines of the server's log, when the server does not come up within its time.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { log, durable, port, settings = {}, startMsMax = 60_000 } = options;
  const folder = await chooseServerFolder(options);
  const binaries = await prepareBinaries({ installed: await locateInstalled(), folder, log });
  const cluster = await openCluster({ folder, binaries, durable, log });
  const plan = {
    folder,
    postgres: binaries.postgres,
    dataDirectory: cluster.dataDirectory,
    port,
    durable,
    settings,
  };
  const server = await obtainServer({ plan, password: cluster.password, startMsMax, log });
  try {
    await createDatabase(server.tenancy.connection);
    if (server.adopted) await compareSettings({ connection: server.tenancy.connection, plan, log });
  } catch (error) {
    await release(server, plan, log);
    throw error;
  }

  log.info(
    { dataFolder: folder.path, processId: server.processId, port: server.port, adopted: server.adopted },
    server.adopted ? 'Using the PostgreSQL that runs already' : 'PostgreSQL started',
  );
  let stopping: Promise<void> | undefined;
  return {
    adopted: server.adopted,
    processId: server.processId,
    port: server.port,
    dataFolder: folder.path,
    logFile: logFile(folder.path),
    url: (name) => connectionString({ password: cluster.password, port: server.port, name }),
    stop: () =>
      (stopping ??= release(server, plan, log).catch((error: unknown) => {
        stopping = undefined;
        throw error;
      })),
  };
}

interface RunningServer {
  readonly tenancy: Tenancy;
  readonly processId: number;
  readonly port: number;
  readonly adopted: boolean;
}

/** Looks, acts on what it sees, and looks again: anything may change between two looks, by crash or by neighbour. */
async function obtainServer(dependencies: {
  readonly plan: LaunchPlan;
  readonly password: string;
  readonly startMsMax: number;
  readonly log: DevelopmentLog;
}): Promise<RunningServer> {
  const { plan, password, startMsMax, log } = dependencies;
  const deadline = new Deadline(startMsMax);
  let launch: Launch | undefined;
  let obstacle = 'it did not become ready';
  for (;;) {
    const exit = launch?.exit();
    if (launch !== undefined && exit !== undefined) {
      const tail = await launch.logTail();
      if (!mayPass(tail, plan)) throw startError(plan, exit.description, tail);
      if (remainsOfKilled.test(tail)) await endOrphans(plan.dataDirectory);
      obstacle = tail;
      launch = undefined;
    }
    const pidFile = await readPidFile(plan.dataDirectory);
    const processId = pidFile?.processId;
    if (processId !== undefined && (await isServerProcess(processId, plan.dataDirectory))) {
      const running = pidFile?.ready === true ? pidFile.port : undefined;
      if (pidFile !== undefined && running !== undefined) {
        const url = connectionString({ password, port: running, name: 'postgres' });
        const tenancy = await Tenancy.join({ url, pidFile });
        if (typeof tenancy !== 'string')
          return { tenancy, processId, port: running, adopted: launch?.processId !== processId };
        obstacle = `process ${processId} runs on it, but ${tenancy}`;
      }
    } else if (launch === undefined) {
      await clearStalePidFile(plan.dataDirectory, log);
      launch = await launchServer(plan);
    }
    if (deadline.expired) {
      const tail = (await launch?.logTail()) ?? '';
      if (launch !== undefined)
        await stopServer({ processId: launch.processId, dataDirectory: plan.dataDirectory, log });
      throw startError(plan, `not ready within ${startMsMax} ms: ${obstacle}`, tail);
    }
    await deadline.pause();
  }
}

const remainsOfKilled = /pre-existing shared memory block .* is still in use/;

/** Whether a failed start is worth another try: someone was faster, or a killed server's remains are still going. */
function mayPass(logTail: string, plan: LaunchPlan): boolean {
  return (
    /lock file "postmaster\.pid" (already exists|is empty)/.test(logTail) ||
    remainsOfKilled.test(logTail) ||
    // A free port was taken by a stranger between our look and the server's start.
    (plan.port === undefined && logTail.includes('could not bind'))
  );
}

function startError(plan: LaunchPlan, reason: string, logTail: string): Error {
  const taken =
    plan.port !== undefined && logTail.includes('could not bind') ? ` Port ${plan.port} is in use.` : '';
  const lines = logTail === '' ? '' : `\n${logTail}`;
  return new Error(
    `PostgreSQL did not start in ${plan.folder.path} (${reason}).${taken} ${logFile(plan.folder.path)}:${lines}`,
  );
}

async function release(server: RunningServer, plan: LaunchPlan, log: DevelopmentLog): Promise<void> {
  const { processId } = server;
  if (!(await server.tenancy.leave())) {
    log.info({ processId }, 'PostgreSQL is left running: another process uses it');
    return;
  }
  await stopServer({ processId, dataDirectory: plan.dataDirectory, log });
  await server.tenancy.close();
  log.info({ processId }, 'PostgreSQL stopped');
}

async function createDatabase(connection: Client): Promise<void> {
  const found = await connection.query('select 1 from pg_database where datname = $1', [database]);
  if (found.rowCount !== 0) return;
  const deadline = new Deadline(10_000);
  for (;;) {
    try {
      await connection.query(`create database ${database}`);
      return;
    } catch (error) {
      // Another starter was faster, before or after its row was visible to us.
      if (errorCode(error) === '42P04' || errorCode(error) === '23505') return;
      // Another starter, or the autovacuum, is at the template at this moment.
      if (errorCode(error) !== '55006' || deadline.expired) throw error;
      await deadline.pause();
    }
  }
}

/** Refuses a server that could lose what it must keep; other differences are the running server's right. */
async function compareSettings(dependencies: {
  readonly connection: Client;
  readonly plan: LaunchPlan;
  readonly log: DevelopmentLog;
}): Promise<void> {
  const { connection, plan, log } = dependencies;
  const { rows } = await connection.query<{ fsync: string; port: string }>(
    `select current_setting('fsync') as fsync, current_setting('port') as port`,
  );
  const [running] = rows;
  if (plan.durable && running?.fsync !== 'on') {
    throw new Error(
      `A PostgreSQL with fsync off runs in ${plan.folder.path}; this start needs it on. Stop that one first.`,
    );
  }
  if (plan.port !== undefined && running?.port !== String(plan.port)) {
    log.warn(
      { wanted: plan.port, port: running?.port },
      'PostgreSQL runs already, on another port than the wanted one',
    );
  }
}

function connectionString(server: {
  readonly password: string;
  readonly port: number;
  readonly name: string;
}): string {
  return `postgres://postgres:${server.password}@127.0.0.1:${server.port}/${encodeURIComponent(server.name)}`;
}
