import { Type } from 'typebox';
import { timestamp, timestampOrNull } from '../../domain/time.ts';
import type { WebhookKeeper } from '../../feed/webhooks/webhook-keeper.ts';
import {
  deliveryStatuses,
  type Delivery,
  type WebhookDeliveries,
} from '../../repository/webhook-deliveries.ts';
import { access, callerOf } from '../access.ts';
import { answers, bodyErrors } from '../answers.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { pageOf } from '../page.ts';
import { invalidRequest, Problem } from '../problem.ts';
import { Nullable, PageOf, paging } from '../schemas.ts';
import type { TypedApp } from '../typed-app.ts';
import { missing, WebhookId } from './webhooks.ts';

const DeliveryAnswer = Type.Object({
  id: Type.String({ format: 'uuid', description: 'The operation’s id, which is sent as `webhook-id`.' }),
  status: Type.Enum([...deliveryStatuses], {
    description:
      '`pending`: it is still to be sent, or sent again; `delivered`: it was answered with 2xx; `dead`: it was given up.',
  }),
  attempts: Type.Integer({ description: 'How often it was tried.' }),
  createdAt: Type.String({ format: 'date-time' }),
  nextAttemptAt: Nullable(Type.String({ format: 'date-time', description: 'Of a pending one: not before.' })),
  lastAttempt: Nullable(
    Type.Object({
      at: Type.String({ format: 'date-time', description: 'When its outcome was recorded.' }),
      durationMs: Type.Integer(),
      responseStatus: Nullable(Type.Integer({ description: 'Null: there was no answer.' })),
      responseBody: Nullable(
        Type.String({ description: 'The beginning of what a failed one was answered.' }),
      ),
      error: Nullable(Type.String({ description: 'Why it failed.' })),
    }),
  ),
  finishedAt: Nullable(Type.String({ format: 'date-time' })),
});

interface Deps {
  readonly webhookKeeper: WebhookKeeper;
  readonly webhookDeliveries: WebhookDeliveries;
}

/** What was sent to an endpoint, and what became of it. */
export function webhookDeliveryRoutes(app: TypedApp, { webhookKeeper, webhookDeliveries }: Deps): void {
  app.get(
    '/v1/webhooks/:id/deliveries',
    {
      config: { access: access.admins },
      schema: {
        tags: ['Administration'],
        summary: 'What was sent to a webhook, or is to be',
        description: 'Newest operation first. What is finished is kept for WEBHOOK_DELIVERY_RETENTION.',
        params: WebhookId,
        querystring: Type.Object(
          {
            ...paging,
            status: Type.Optional(Type.Enum(['dead'], { description: 'Those that were given up alone.' })),
          },
          { additionalProperties: false },
        ),
        response: answers({ 200: PageOf(DeliveryAnswer) }, ['invalid_cursor', 'not_found']),
      },
    },
    async (request) => {
      const { limit, cursor, status } = request.query;
      const id = request.params.id.toLowerCase();
      const [before] = decodeCursor(cursor, 'webhook-deliveries', ['number']) ?? [null];
      if ((await webhookKeeper.find(id)) === undefined) missing(id);
      const rows = await webhookDeliveries.list(id, {
        before,
        limit: limit + 1,
        dead: status === 'dead',
      });
      return pageOf(rows, limit, {
        item: shown,
        cursor: ({ position }) => encodeCursor('webhook-deliveries', position),
      });
    },
  );

  app.post(
    '/v1/webhooks/:id/deliveries/:delivery/retry',
    {
      config: { access: access.admins },
      schema: {
        tags: ['Administration'],
        summary: 'Send something to a webhook once more',
        description:
          'At once, whatever became of it before. 202: it is on its way; the list of deliveries tells the outcome. A dead one gets one more attempt. Asked twice, it may be sent twice, under the same `webhook-id`.',
        params: Type.Object({
          ...WebhookId.properties,
          delivery: Type.String({ format: 'uuid', description: 'The delivery: the operation’s id.' }),
        }),
        body: Nullable(Type.Object({}, { additionalProperties: false })),
        response: answers({ 202: DeliveryAnswer }, ['not_found', ...bodyErrors]),
      },
    },
    async (request, reply) => {
      const id = request.params.id.toLowerCase();
      const operation = request.params.delivery.toLowerCase();
      const webhook = (await webhookKeeper.find(id)) ?? missing(id);
      if (webhook.disabled !== null) {
        const message = `is disabled: ${webhook.disabled.because}; register the URL anew`;
        throw invalidRequest(`the webhook ${message}`, [{ path: '/id', message, in: 'path' }]);
      }
      const delivery = await webhookDeliveries.retry(id, operation);
      if (delivery === undefined)
        throw new Problem('not_found', {
          detail: `webhook ${id} has no delivery ${operation}`,
          members: { webhook: id, delivery: operation },
        });
      request.log.info(
        { webhook: id, delivery: operation, actor: callerOf(request).actor },
        'a webhook delivery is sent once more',
      );
      return await reply.code(202).send(shown(delivery));
    },
  );
}

function shown({ operation, lastAttempt, ...delivery }: Delivery): Type.Static<typeof DeliveryAnswer> {
  const { status, attempts, createdAtMs, nextAttemptAtMs, finishedAtMs } = delivery;
  return {
    id: operation,
    status,
    attempts,
    createdAt: timestamp(createdAtMs),
    nextAttemptAt: timestampOrNull(nextAttemptAtMs),
    lastAttempt: lastAttempt === null ? null : attemptShown(lastAttempt),
    finishedAt: timestampOrNull(finishedAtMs),
  };
}

function attemptShown({ atMs, ...attempt }: NonNullable<Delivery['lastAttempt']>) {
  return { at: timestamp(atMs), ...attempt };
}
