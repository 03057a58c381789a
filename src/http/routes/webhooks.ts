import { Type } from 'typebox';
import { timestamp, timestampOrNull } from '../../domain/time.ts';
import { webhooksMax, type WebhookKeeper } from '../../feed/webhooks/webhook-keeper.ts';
import type { Webhook } from '../../repository/webhooks.ts';
import { access, callerOf } from '../access.ts';
import { answers, bodyErrors } from '../answers.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { pageOf } from '../page.ts';
import { invalidRequest, Problem } from '../problem.ts';
import { Nullable, PageOf, paging } from '../schemas.ts';
import type { TypedApp } from '../typed-app.ts';

const Time = (description: string) => Nullable(Type.String({ format: 'date-time', description }));

const Endpoint = Type.Object({
  id: Type.String({ format: 'uuid' }),
  url: Type.String(),
  types: Nullable(
    Type.Array(Type.String(), { description: 'The types of operations that it gets; null: all.' }),
  ),
  createdAt: Type.String({ format: 'date-time' }),
  oldSecretUntil: Time('Until when the secret before the last rotation signs as well.'),
  failingSince: Time('Nothing has been delivered since then, though it was tried.'),
  restingUntil: Time('It could not be reached, or asked for it: nothing is sent until then.'),
  disabledAt: Time('Since then nothing is sent any more, and what was pending is dead.'),
  disabledBecause: Nullable(Type.String()),
});

const EndpointWithSecret = Type.Object({
  ...Endpoint.properties,
  secret: Type.String({
    description: 'What deliveries are signed with: `whsec_`, and the key in base64. Shown this once.',
  }),
});

export const WebhookId = Type.Object({ id: Type.String({ format: 'uuid', description: 'The endpoint.' }) });

const description = `Every operation that begins after this was answered, of those types, is sent to the URL as a POST, as [Standard Webhooks](https://www.standardwebhooks.com) says: at least once, in no promised order (\`accounts.….version\` of the receipt tells the order for an account). The body is \`{"type", "timestamp", "data"}\`: the operation’s type, when it took effect, and its receipt, word for word. The headers:

- \`webhook-id\`: the operation’s id, the same each time that it is sent: take what comes twice once;
- \`webhook-timestamp\`: when this attempt was made, in seconds since 1970: refuse what is older than five minutes;
- \`webhook-signature\`: \`v1,\` and the base64 of HMAC-SHA256 over \`<webhook-id>.<webhook-timestamp>.<body as it came>\`; the key is what the secret’s part after \`whsec_\` is in base64. After a rotation there are two, with a space between them: one that fits is enough.

Any 2xx within WEBHOOK_TIMEOUT means that it was received; answer before you work on it. 410 disables the endpoint. All else, a redirect included, means that it is tried again: after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h, or later if \`Retry-After\` says so; then the delivery is dead, and can be retried by hand. Unless the operator allows it, the URL must be https and not lead to a private address.

At most ${webhooksMax} endpoints.`;

interface Deps {
  readonly webhookKeeper: WebhookKeeper;
  /** The types that operations have. */
  readonly operationTypes: readonly string[];
}

/** The endpoints that operations are sent to. */
export function webhookRoutes(app: TypedApp, deps: Deps): void {
  registration(app, deps);
  reading(app, deps);
  removal(app, deps);
  rotation(app, deps);
}

function registration(app: TypedApp, { webhookKeeper, operationTypes }: Deps): void {
  const Body = Type.Object(
    {
      url: Type.String({ minLength: 1, maxLength: 2048, description: 'Where to send operations to.' }),
      types: Type.Optional(
        Type.Array(Type.Enum([...operationTypes]), {
          minItems: 1,
          uniqueItems: true,
          description: 'The types of operations to send; without it all, those to come included.',
        }),
      ),
    },
    { additionalProperties: false },
  );
  app.post(
    '/v1/webhooks',
    {
      config: { access: access.admins },
      schema: {
        tags: ['Administration'],
        summary: 'Have operations sent to a URL',
        description,
        body: Body,
        response: answers({ 201: EndpointWithSecret }, bodyErrors, {
          location: Type.String({ description: 'Where it can be had again.' }),
        }),
      },
    },
    async (request, reply) => {
      const { url, types = null } = request.body;
      const outcome = await webhookKeeper.create({ url, types });
      switch (outcome.kind) {
        case 'refused':
          throw atFault('/url', outcome.message);
        case 'full':
          throw atFault('', `there are ${webhooksMax} webhooks already: delete one that is not needed`);
        case 'made': {
          const { webhook, secret } = outcome;
          request.log.info(
            { webhook: webhook.id, host: new URL(url).host, types, actor: callerOf(request).actor },
            'a webhook was registered',
          );
          return await reply
            .code(201)
            .header('location', `/v1/webhooks/${webhook.id}`)
            .header('cache-control', 'no-store')
            .send({ ...shown(webhook), secret });
        }
      }
    },
  );
}

function reading(app: TypedApp, { webhookKeeper }: Deps): void {
  app.get(
    '/v1/webhooks',
    {
      config: { access: access.admins },
      schema: {
        tags: ['Administration'],
        summary: 'The webhooks',
        description: 'Newest first; the disabled ones as well.',
        querystring: Type.Object(paging, { additionalProperties: false }),
        response: answers({ 200: PageOf(Endpoint) }, ['invalid_cursor']),
      },
    },
    async ({ query: { limit, cursor } }) => {
      const [after] = decodeCursor(cursor, 'webhooks', ['string']) ?? [null];
      const rows = await webhookKeeper.list({ after, limit: limit + 1 });
      return pageOf(rows, limit, { item: shown, cursor: ({ id }) => encodeCursor('webhooks', id) });
    },
  );

  app.get(
    '/v1/webhooks/:id',
    {
      config: { access: access.admins },
      schema: {
        tags: ['Administration'],
        summary: 'A webhook, and how it fares',
        params: WebhookId,
        response: answers({ 200: Endpoint }, ['not_found']),
      },
    },
    async (request) => {
      const id = request.params.id.toLowerCase();
      return shown((await webhookKeeper.find(id)) ?? missing(id));
    },
  );
}

function removal(app: TypedApp, { webhookKeeper }: Deps): void {
  app.delete(
    '/v1/webhooks/:id',
    {
      config: { access: access.admins },
      schema: {
        tags: ['Administration'],
        summary: 'Delete a webhook',
        description:
          'Nothing more is sent to it, but for what is on its way. Its deliveries go as well, those that were pending included.',
        params: WebhookId,
        response: answers({ 204: Type.Null() }, ['not_found']),
      },
    },
    async (request, reply) => {
      const id = request.params.id.toLowerCase();
      if ((await webhookKeeper.remove(id)) === undefined) missing(id);
      request.log.info({ webhook: id, actor: callerOf(request).actor }, 'a webhook was deleted');
      return await reply.code(204).send();
    },
  );
}

function rotation(app: TypedApp, { webhookKeeper }: Deps): void {
  app.post(
    '/v1/webhooks/:id/rotate-secret',
    {
      config: { access: access.admins },
      schema: {
        tags: ['Administration'],
        summary: 'Give a webhook a new secret',
        description:
          'The new one signs from now on, and the old one beside it for a day: `webhook-signature` has both, and one that fits is enough. Rotated again within that day, the oldest signs no more.',
        params: WebhookId,
        body: Nullable(Type.Object({}, { additionalProperties: false })),
        response: answers({ 200: EndpointWithSecret }, ['not_found', ...bodyErrors]),
      },
    },
    async (request, reply) => {
      const id = request.params.id.toLowerCase();
      const { webhook, secret } = (await webhookKeeper.rotateSecret(id)) ?? missing(id);
      request.log.info({ webhook: id, actor: callerOf(request).actor }, 'a webhook’s secret was rotated');
      return await reply.header('cache-control', 'no-store').send({ ...shown(webhook), secret });
    },
  );
}

/** There is no such endpoint. */
export function missing(id: string): never {
  throw new Problem('not_found', { detail: `there is no webhook ${id}`, members: { webhook: id } });
}

function atFault(path: string, message: string): Problem {
  return invalidRequest(path === '' ? message : `body ${path} ${message}`, [{ path, message, in: 'body' }]);
}

function shown(webhook: Webhook): Type.Static<typeof Endpoint> {
  const { id, url, types, createdAtMs, disabled } = webhook;
  return {
    id,
    url,
    types: types === null ? null : [...types],
    createdAt: timestamp(createdAtMs),
    oldSecretUntil: timestampOrNull(webhook.retiredSecretUntilMs),
    failingSince: timestampOrNull(webhook.failingSinceMs),
    restingUntil: timestampOrNull(webhook.restingUntilMs),
    disabledAt: timestampOrNull(disabled?.atMs ?? null),
    disabledBecause: disabled?.because ?? null,
  };
}
