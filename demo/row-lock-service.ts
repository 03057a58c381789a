import { hash, timingSafeEqual } from 'node:crypto';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { fastify, LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import { destination, pino } from 'pino';
import { Type } from 'typebox';
import { openRowLockDatabase } from './row-lock-database.ts';
import { purchase, Refusal } from './row-lock-purchase.ts';
import type { DemoServiceOptions } from './service-process.ts';

/**
 * Measured with 64 connections on two processors: 1,470 purchases/s with 5, 1,590 with 10, 1,540 with 20, 1,430 with 40.
 */
const connectionsMax = 10;

const identifier = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.:@-]{0,63}$' });

const PurchaseBody = Type.Object(
  {
    account: identifier,
    listing: identifier,
    quantity: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, default: 1 }),
  },
  { additionalProperties: false },
);

const PurchaseHeaders = Type.Object({
  'idempotency-key': Type.String({ minLength: 1, maxLength: 255, pattern: '^[\\x20-\\x7e]*$' }),
});

/**
 * The other way to be right with several replicas: every request is a transaction that locks its rows. Written as one
 * would with Fastify and Kysely, and meant to be as good as that gets without a design of its own: it does for a
 * purchase what Holdfast does (authentication, validation, idempotency, operation and entries on record, a log line).
 */
export function buildRowLockService({ databaseUrl, apiKey }: DemoServiceOptions): FastifyInstance {
  const db = openRowLockDatabase({ url: databaseUrl, connectionsMax });
  const digest = hash('sha256', apiKey, 'buffer');
  const log: FastifyBaseLogger = pino(
    { timestamp: pino.stdTimeFunctions.isoTime },
    destination({ dest: 1, sync: false, minLength: 4096, periodicFlush: 200 }),
  );
  const app = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
  }).withTypeProvider<TypeBoxTypeProvider>();

  app.addHook('onRequest', async (request, reply) => {
    const token = request.headers.authorization?.replace(/^Bearer /, '') ?? '';
    if (!timingSafeEqual(hash('sha256', token, 'buffer'), digest))
      await reply.code(401).send({ status: 401, code: 'unauthenticated', retryable: false });
  });
  app.addHook('onResponse', (request, reply, done) => {
    const { method, url } = request;
    request.log.info({ method, url, status: reply.statusCode, ms: reply.elapsedTime }, 'request');
    done();
  });
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof Refusal)
      return reply.code(error.status).send({ ...problem(error.status, error.code), detail: error.message });
    if (isTimeout(error)) return reply.code(503).send({ ...problem(503, 'busy'), retryable: true });
    if (error instanceof Error && 'validation' in error)
      return reply.code(400).send({ ...problem(400, 'invalid_request'), detail: error.message });
    request.log.error(error);
    return reply.code(500).send(problem(500, 'internal_error'));
  });
  app.addHook('onClose', async () => await db.destroy());

  app.post(
    '/v1/purchases',
    { schema: { body: PurchaseBody, headers: PurchaseHeaders } },
    async (request, reply) => {
      const { account, listing, quantity } = request.body;
      const { receipt, replayed } = await purchase(db, {
        account,
        listing,
        quantity,
        actor: 'key:admin',
        idempotencyKey: request.headers['idempotency-key'],
        requestHash: hash('sha256', `POST /v1/purchases\n${account}\n${listing}\n${quantity}`, 'base64url'),
      });
      if (replayed) reply.header('idempotency-replayed', 'true');
      return await reply.code(201).type('application/json; charset=utf-8').send(receipt);
    },
  );
  return app;
}

function problem(status: number, code: string): { status: number; code: string; retryable: boolean } {
  return { status, code, retryable: false };
}

/** A lock or a connection that was not to be had in time. */
function isTimeout(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ('code' in error && error.code === '55P03') || error.message.includes('timeout exceeded');
}
