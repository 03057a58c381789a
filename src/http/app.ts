import compress from '@fastify/compress';
import cors from '@fastify/cors';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { fastify, LogController, type FastifyBaseLogger } from 'fastify';
import type { AccountEditor } from '../execution/account-editor.ts';
import type { CatalogEditor } from '../execution/catalog-editor.ts';
import type { Executor } from '../execution/executor.ts';
import type { WebhookKeeper } from '../feed/webhooks/webhook-keeper.ts';
import type { Authenticate } from '../identity/caller.ts';
import type { FeedTail } from '../feed/tail.ts';
import type { KeyKeeper } from '../identity/key-keeper.ts';
import type { Reads } from '../repository/repository.ts';
import type { WebhookDeliveries } from '../repository/webhook-deliveries.ts';
import type { Verifications } from '../verification/verifications.ts';
import { useAccess } from './access.ts';
import { useClosingConnections } from './closing-connections.ts';
import { useDocumentation } from './documentation.ts';
import { answerBrokenClient, answerError, useErrorBoundary } from './error-boundary.ts';
import { useJsonBodies } from './json-body.ts';
import type { OpenConnections } from './open-connections.ts';
import { operations, operationTypes } from './operations/index.ts';
import { useRateLimit } from './rate-limit.ts';
import { requestIdOf } from './request-id.ts';
import { useRequestLog } from './request-log.ts';
import { accountRoutes } from './routes/accounts.ts';
import { apiKeyRoutes } from './routes/api-keys.ts';
import { assetRoutes } from './routes/assets.ts';
import { entryRoutes } from './routes/entries.ts';
import { healthRoutes, type Health } from './routes/health.ts';
import { inventoryRoutes } from './routes/inventory.ts';
import { listingRoutes } from './routes/listings.ts';
import { operationStreamRoutes, type StartStream, type StreamSettings } from './routes/operation-stream.ts';
import { operationReadRoutes } from './routes/operations.ts';
import { probeRoutes, type Readiness } from './routes/probes.ts';
import { rewardRuleRoutes } from './routes/reward-rules.ts';
import { verificationRoutes } from './routes/verifications.ts';
import { webhookDeliveryRoutes } from './routes/webhook-deliveries.ts';
import { webhookRoutes } from './routes/webhooks.ts';
import type { TypedApp } from './typed-app.ts';
import { useUnknownRoutes } from './unknown-routes.ts';
import { useValidation } from './validation.ts';

export interface AppSettings {
  readonly corsOrigins: readonly string[];
  /** How long a connection may idle: longer than the load balancer's own, or it will use one that is just closing. */
  readonly keepAliveTimeoutMs: number;
  /** How long a client may take to send a request. */
  readonly requestTimeoutMs: number;
  /** Of each caller, to this replica; 0: no limit. */
  readonly requestsPerMinute: number;
  readonly streams: StreamSettings;
}

export interface AppDeps {
  readonly reads: Reads;
  readonly executor: Executor;
  readonly catalogEditor: CatalogEditor;
  readonly accountEditor: AccountEditor;
  readonly verifications: Verifications;
  readonly authenticate: Authenticate;
  readonly keyKeeper: KeyKeeper;
  /** Where the feed ends, for those who follow it. */
  readonly tail: Pick<FeedTail, 'beyond'>;
  readonly startStream: StartStream;
  /** Told of every connection. */
  readonly openConnections: OpenConnections;
  readonly webhookKeeper: WebhookKeeper;
  readonly webhookDeliveries: WebhookDeliveries;
  readonly readiness: Readiness;
  /** Resolves in bounded time. */
  readonly health: () => Promise<Health>;
  readonly log: FastifyBaseLogger;
  readonly version: string;
}

/** One MiB: the largest body that is read. */
const bodyBytesMax = 1024 * 1024;
/** Answers up to this size are sent as they are. */
const compressAboveBytes = 1024;
/** As long as a request's head may be: an identifier that is too long is answered by validation. */
const paramLengthMax = 16 * 1024;

/** The whole HTTP contract as an application that listens nowhere yet. */
export async function buildApp(deps: AppDeps, settings: AppSettings): Promise<TypedApp> {
  const app: TypedApp = fastify({
    loggerInstance: deps.log,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    genReqId: requestIdOf,
    bodyLimit: bodyBytesMax,
    keepAliveTimeout: settings.keepAliveTimeoutMs,
    requestTimeout: settings.requestTimeoutMs,
    // While it drains, requests that still come in are answered as the contract says, not by Fastify's own 503.
    return503OnClosing: false,
    routerOptions: { maxParamLength: paramLengthMax },
    // A request without Host is answered like any other, instead of by Node's own empty 400.
    http: { requireHostHeader: false },
    frameworkErrors: answerError,
    clientErrorHandler: answerBrokenClient,
  }).withTypeProvider<TypeBoxTypeProvider>();
  // Schemas describe the answers; what is sent is what the route gave.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  useErrorBoundary(app);
  useRequestLog(app, deps.log);
  useClosingConnections(app, deps.readiness);
  deps.openConnections.watch(app.server);
  if (settings.corsOrigins.length > 0) {
    // Before anything can refuse a request: a page may read why it was refused.
    await app.register(cors, {
      origin: [...settings.corsOrigins],
      methods: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'],
      exposedHeaders: [
        'etag',
        'idempotency-replayed',
        'location',
        'ratelimit-limit',
        'ratelimit-remaining',
        'ratelimit-reset',
        'retry-after',
        'x-request-id',
      ],
    });
  }
  useUnknownRoutes(app);
  useAccess(app, deps.authenticate);
  if (settings.requestsPerMinute > 0) await useRateLimit(app, settings.requestsPerMinute);
  useValidation(app);
  useJsonBodies(app);
  await app.register(compress, {
    globalDecompression: false,
    threshold: compressAboveBytes,
    encodings: ['br', 'gzip'],
  });
  await useDocumentation(app, deps.version);

  probeRoutes(app, deps);
  healthRoutes(app, deps);
  assetRoutes(app, deps);
  listingRoutes(app, deps);
  rewardRuleRoutes(app, deps);
  accountRoutes(app, deps);
  inventoryRoutes(app, deps);
  entryRoutes(app, deps);
  operationReadRoutes(app, deps);
  operationStreamRoutes(app, deps, settings.streams);
  verificationRoutes(app, deps);
  apiKeyRoutes(app, deps);
  webhookRoutes(app, { ...deps, operationTypes: operationTypes.map(({ type }) => type) });
  webhookDeliveryRoutes(app, deps);
  for (const operation of operations) operation.register(app, deps.executor);
  await app.ready();
  return app;
}
