import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { connectionsOf } from '../config/connections.ts';
import type { Config } from '../config/settings.ts';
import { AccountEditor } from '../execution/account-editor.ts';
import { CatalogCache } from '../execution/catalog-cache.ts';
import { CatalogEditor } from '../execution/catalog-editor.ts';
import { Executor } from '../execution/executor.ts';
import { buildApp } from '../http/app.ts';
import { adminKey } from '../identity/admin-key.ts';
import { authentication } from '../identity/authentication.ts';
import { KeyKeeper } from '../identity/key-keeper.ts';
import { KeyRing } from '../identity/key-ring.ts';
import { PlayerTokens, type PlayerTokenSettings } from '../identity/player-tokens.ts';
import { newOperationId } from '../execution/operation-id.ts';
import { operations } from '../http/operations/index.ts';
import { stopListening } from '../http/stop-listening.ts';
import { PostgresRepository, type PostgresSettings } from '../repository/postgres/repository.ts';
import { Verifications } from '../verification/verifications.ts';
import { Verifier, type VerifierSettings } from '../verification/verifier.ts';
import { BackgroundTasks } from './background-tasks.ts';
import { DatabaseProbe } from './database-probe.ts';
import { healthOf } from './health.ts';
import { shutDown, type ShutdownStep } from './shutdown.ts';

/** A replica that serves. */
export interface Service {
  readonly url: string;
  /** Stops in order, and answers whether everything was drained. The same stop however often it is called. */
  stop(departure: Departure): Promise<boolean>;
}

/**
 * What a stop means for those who call at this address. `leaving`: nobody will serve here any more, so the load balancers
 * are told, and given time to notice. `handing over`: another replica serves at the same address, so new connections are
 * left to it at once, and the open ones are let go of as their clients use them.
 */
export type Departure = 'leaving' | 'handing over';

/** Tasks that may run at once beside the requests. */
const backgroundTasksMax = 16;
/** How long an aborted background task may take to notice. */
const abortGraceMs = 2000;

/** The composition root: builds a replica from its settings, and listens. */
export async function startService(
  config: Config,
  { log, version }: { log: Logger; version: string },
): Promise<Service> {
  const repository = PostgresRepository.open(postgresSettings(config, version), (error) => {
    log.warn({ err: error }, 'a database connection was lost');
  });
  try {
    await repository.checkServer(log);
    return await serve(config, { log, version, repository });
  } catch (error) {
    await repository.close();
    throw error;
  }
}

async function serve(
  config: Config,
  { log, version, repository }: { log: Logger; version: string; repository: PostgresRepository },
): Promise<Service> {
  const backoff = {
    retries: config.RETRY_MAX,
    baseMs: config.RETRY_BACKOFF,
    maxMs: config.RETRY_BACKOFF_MAX,
  };
  const catalog = new CatalogCache(repository);
  await catalog.refresh();
  const executor = new Executor({
    repository,
    catalog,
    settings: {
      lanes: config.LANES,
      batchMax: config.LANE_BATCH_MAX,
      queueMax: config.QUEUE_MAX,
      batchAccountWaitMs: config.DB_BATCH_LOCK_WAIT,
      lockTimeoutMs: config.DB_LOCK_TIMEOUT,
      patientWorkers: config.PATIENT_WORKERS,
      backoff,
      catalogReloads: config.RETRY_MAX,
    },
    observer: {
      onDefect: (error, context) => {
        log.error({ err: error, ...context }, 'an operation failed in a way that is a defect');
      },
      onBatchFailed: (error, context) => {
        log.warn({ err: error, ...context }, 'a batch failed and is run again one by one');
      },
    },
  });
  const verifier = new Verifier({
    audit: repository.audit,
    operationTypes: operations.map(({ type }) => type),
    settings: verifierSettings(config),
  });
  const verifications = new Verifications({ verifier, records: repository.verifications });
  const tasks = new BackgroundTasks({ maxRunning: backgroundTasksMax, log });
  const keyRing = new KeyRing({
    keys: repository.apiKeys,
    // Not started when too much is going on: another use will be noted.
    noteUse: (id) =>
      tasks.start('note that an API key was used', async () => await repository.apiKeys.noteUse(id)),
  });
  const playerTokenSettings = playerTokensOf(config);
  const playerTokens = playerTokenSettings === null ? null : await PlayerTokens.open(playerTokenSettings);
  const probe = new DatabaseProbe(repository);
  let stopping = false;
  let ready = true;
  const app = await buildApp(
    {
      reads: repository,
      executor,
      catalogEditor: new CatalogEditor({ repository, backoff }),
      accountEditor: new AccountEditor({ repository, backoff }),
      verifications,
      authenticate: authentication({ admin: adminKey(config.ADMIN_API_KEY), keyRing, playerTokens }),
      keyKeeper: new KeyKeeper({ keys: repository.apiKeys, newId: newOperationId }),
      readiness: {
        stopping: () => stopping,
        notReadyBecause: async () => (ready ? (await probe.check()).trouble : 'shutting down'),
      },
      health: async () =>
        await healthOf({ version, probe, repository, executor, catalog, tasks, stopping: () => !ready }),
      log,
      version,
    },
    {
      corsOrigins: config.CORS_ORIGINS,
      keepAliveTimeoutMs: config.KEEP_ALIVE_TIMEOUT,
      requestTimeoutMs: config.REQUEST_TIMEOUT,
      requestsPerMinute: config.RATE_LIMIT_MAX,
    },
  );
  await app.listen({ host: config.HOST, port: config.PORT });
  const { address, family, port } = app.server.address() as AddressInfo;
  const url = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  log.info({ url }, 'serving');

  const firstStep: Readonly<Record<Departure, ShutdownStep>> = {
    leaving: {
      name: 'say not ready, and serve on while load balancers notice',
      run: async () => {
        stopping = true;
        ready = false;
        await sleep(config.SHUTDOWN_GRACE);
      },
    },
    'handing over': {
      name: 'leave new connections to others, and serve on over the open ones',
      run: async () => {
        stopping = true;
        const timer = new AbortController();
        const grace = sleep(config.HANDOVER_GRACE, undefined, { signal: timer.signal });
        await Promise.race([stopListening(app), grace.catch(() => undefined)]);
        timer.abort();
      },
    },
  };
  const steps: readonly ShutdownStep[] = [
    {
      name: 'finish requests',
      run: async () => {
        // The one request that can take minutes, and loses nothing by being asked again elsewhere.
        verifications.stop();
        await app.close();
      },
      waitingFor: () => 'requests under way',
    },
    {
      name: 'drain lanes',
      run: async () => await executor.drain(),
      waitingFor: () => `${executor.inFlight} operations`,
    },
    {
      name: 'drain background tasks',
      run: async (timeLeftMs) => {
        const ignored = await tasks.close({
          deadlineMs: Math.max(0, timeLeftMs - 2 * abortGraceMs),
          abortGraceMs,
        });
        if (ignored.length > 0) throw new Error(`tasks ignored their abort: ${ignored.join(', ')}`);
      },
      waitingFor: () => tasks.running.join(', '),
    },
    {
      name: 'close connections',
      run: async () => await repository.close(),
      waitingFor: () => 'connections in use',
    },
  ];
  let stopped: Promise<boolean> | undefined;
  return {
    url,
    stop: async (departure) =>
      await (stopped ??= shutDown([firstStep[departure], ...steps], {
        timeoutMs: config.SHUTDOWN_TIMEOUT,
        log,
      })),
  };
}

/** Null: players have no tokens here. That the settings go together has been checked. */
function playerTokensOf(config: Config): PlayerTokenSettings | null {
  const { JWT_SECRET, JWT_JWKS, JWT_ISSUER: issuer, JWT_AUDIENCE: audience } = config;
  if (issuer === null || audience === null) return null;
  if (JWT_SECRET !== null) return { keys: { secret: JWT_SECRET }, issuer, audience };
  return JWT_JWKS === null ? null : { keys: { jwks: JWT_JWKS }, issuer, audience };
}

export function verifierSettings(config: Config): VerifierSettings {
  return {
    pageRows: config.VERIFY_PAGE_ROWS,
    pauseMs: config.VERIFY_PAUSE,
    discrepanciesMax: config.VERIFY_DISCREPANCIES_MAX,
  };
}

export function postgresSettings(config: Config, version: string): PostgresSettings {
  const { transactions, reads } = connectionsOf(config);
  return {
    connectionString: config.DATABASE_URL,
    applicationName: `holdfast ${version}`,
    maxTransactionConnections: transactions,
    maxReadConnections: reads,
    acquireTimeoutMs: config.DB_ACQUIRE_TIMEOUT,
    idleConnectionMs: config.DB_MAX_CONN_IDLE_TIME,
    connectionLifetimeMs: config.DB_MAX_CONN_LIFETIME,
    transactionTimeoutMs: config.DB_TRANSACTION_TIMEOUT,
    lockTimeoutMs: config.DB_LOCK_TIMEOUT,
    statementTimeoutMs: config.DB_STATEMENT_TIMEOUT,
    idleTimeoutMs: config.DB_IDLE_IN_TRANSACTION_TIMEOUT,
    connectionCheckMs: config.DB_CONNECTION_CHECK_INTERVAL,
    namedStatements: config.DB_NAMED_STATEMENTS,
  };
}
