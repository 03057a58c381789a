import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import type { Config } from '../config/settings.ts';
import { AccountEditor } from '../execution/account-editor.ts';
import { CatalogCache } from '../execution/catalog-cache.ts';
import { CatalogEditor } from '../execution/catalog-editor.ts';
import { Executor } from '../execution/executor.ts';
import { buildApp } from '../http/app.ts';
import { adminKey } from '../identity/admin-key.ts';
import { authentication } from '../identity/authentication.ts';
import { KeyKeeper } from '../identity/key-keeper.ts';
import { FeedTail } from '../feed/tail.ts';
import { WebhookKeeper } from '../feed/webhooks/webhook-keeper.ts';
import { KeyRing } from '../identity/key-ring.ts';
import { PlayerTokens } from '../identity/player-tokens.ts';
import { newOperationId } from '../execution/operation-id.ts';
import { OpenConnections } from '../http/open-connections.ts';
import { operationTypes } from '../http/operations/index.ts';
import { PostgresRepository } from '../repository/postgres/repository.ts';
import { Verifications } from '../verification/verifications.ts';
import { Verifier } from '../verification/verifier.ts';
import { BackgroundTasks } from './background-tasks.ts';
import { consumersMax, jobTasksMax, startBackground } from './background.ts';
import { DatabaseProbe } from './database-probe.ts';
import { healthOf } from './health.ts';
import { playerTokensOf, postgresSettings, verifierSettings } from './from-config.ts';
import { SharedAnswer } from './shared-answer.ts';
import { openRelay } from './relay.ts';
import { shutDown } from './shutdown.ts';
import { shutdownSteps, type Departure } from './shutdown-steps.ts';

/** A replica that serves. */
export interface Service {
  readonly url: string;
  /** Stops in order, and answers whether everything was drained. The same stop however often it is called. */
  stop(departure: Departure): Promise<boolean>;
}

/** Chores that may run at once beside the requests. */
const choresMax = 16;

/** Jobs of each kind that `/health` counts at most. */
const jobsCountedMax = 10_000;

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
    if (config.BACKGROUND_WORK) await repository.checkBackgroundSessions(log);
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
  const tail = new FeedTail({
    readEnd: async () => await repository.feedEnd(),
    pollMs: config.FEED_POLL_INTERVAL,
  });
  const executor = new Executor({
    repository,
    catalog,
    settings: {
      lanes: config.LANES,
      batchMax: config.LANE_BATCH_MAX,
      batchMin: config.LANE_BATCH_MIN,
      batchWaitMs: config.LANE_BATCH_WAIT,
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
      onCommitted: () => {
        tail.committed();
      },
    },
  });
  const verifier = new Verifier({
    audit: repository.audit,
    operationTypes,
    settings: verifierSettings(config),
  });
  const verifications = new Verifications({ verifier, records: repository.verifications });
  const tasks = new BackgroundTasks({
    maxRunning: {
      jobs: jobTasksMax(config),
      consumers: consumersMax,
      streams: config.FEED_STREAMS_MAX,
      chores: choresMax,
    },
    log,
  });
  const keyRing = new KeyRing({
    keys: repository.apiKeys,
    // Not started when too much is going on: another use will be noted.
    noteUse: (id) =>
      tasks.start(
        'chores',
        'note that an API key was used',
        async () => await repository.apiKeys.noteUse(id),
      ),
  });
  const playerTokenSettings = playerTokensOf(config);
  const playerTokens = playerTokenSettings === null ? null : await PlayerTokens.open(playerTokenSettings);
  const relay = await openRelay(config, { repository, log });
  const probe = new DatabaseProbe(repository);
  const openConnections = new OpenConnections();
  const consumers = new SharedAnswer(async () => await repository.consumers.list(), { timeoutMs: 1000 });
  const jobs = new SharedAnswer(async () => await repository.jobOwners.figures(jobsCountedMax), {
    timeoutMs: 1000,
  });
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
      tail,
      startStream: (name, work) => tasks.start('streams', name, work),
      openConnections,
      webhookKeeper: new WebhookKeeper({
        webhooks: repository.webhooks,
        newId: newOperationId,
        allowPrivate: config.WEBHOOK_ALLOW_PRIVATE,
      }),
      webhookDeliveries: repository.webhookDeliveries,
      readiness: {
        stopping: () => stopping,
        notReadyBecause: async () => (ready ? (await probe.check()).trouble : 'shutting down'),
      },
      health: async () =>
        await healthOf({
          version,
          probe,
          repository,
          executor,
          catalog,
          tasks,
          consumers,
          jobs,
          relay: relay?.broker ?? null,
          stopping: () => !ready,
        }),
      log,
      version,
    },
    {
      corsOrigins: config.CORS_ORIGINS,
      keepAliveTimeoutMs: config.KEEP_ALIVE_TIMEOUT,
      requestTimeoutMs: config.REQUEST_TIMEOUT,
      requestsPerMinute: config.RATE_LIMIT_MAX,
      streams: { heartbeatMs: config.FEED_STREAM_HEARTBEAT, stallMs: config.FEED_STREAM_STALL_TIMEOUT },
    },
  );
  await app.listen({ host: config.HOST, port: config.PORT });
  const { address, family, port } = app.server.address() as AddressInfo;
  const url = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  log.info({ url }, 'serving');
  startBackground({ config, repository, executor, tail, verifications, tasks, relay, log });

  const stops = shutdownSteps({
    config,
    app,
    openConnections,
    executor,
    verifications,
    tasks,
    repository,
    onStopping: () => {
      stopping = true;
    },
    onNotReady: () => {
      ready = false;
    },
  });
  let stopped: Promise<boolean> | undefined;
  return {
    url,
    stop: async (departure) =>
      await (stopped ??= shutDown(stops(departure), {
        timeoutMs: config.SHUTDOWN_TIMEOUT,
        log,
      })),
  };
}
