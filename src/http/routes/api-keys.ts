import { Type } from 'typebox';
import { roles } from '../../domain/role.ts';
import type { KeyKeeper } from '../../identity/key-keeper.ts';
import type { ApiKey } from '../../repository/api-keys.ts';
import { timestamp } from '../../domain/time.ts';
import { access, callerOf } from '../access.ts';
import { answers, bodyErrors } from '../answers.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { pageOf } from '../page.ts';
import { invalidRequest, Problem } from '../problem.ts';
import { Identifier, Nullable, PageOf, paging } from '../schemas.ts';
import type { TypedApp } from '../typed-app.ts';

const Role = Type.Enum([...roles], {
  description:
    '`admin`: everything; `service`: accounts, all operations and reads, the feed; `reader`: reads; `player`: what is its own account’s.',
});

const Key = Type.Object({
  id: Type.String({ format: 'uuid' }),
  name: Type.String({ description: 'Operations made with it say `key:<name>`.' }),
  role: Role,
  account: Nullable(Type.String({ description: 'The one account that a player’s key acts on.' })),
  prefix: Type.String({ description: 'The key begins `hf_<prefix>_`.' }),
  createdAt: Type.String({ format: 'date-time' }),
  lastUsedAt: Nullable(Type.String({ format: 'date-time', description: 'To the minute.' })),
});

const NewKey = Type.Object({
  ...Key.properties,
  secret: Type.String({ description: 'The key. Shown this once: what is kept can’t be used as one.' }),
});

const Body = Type.Object(
  {
    name: Identifier(
      'Who it is for. Keys that share a name share their role, their idempotency keys and their rate limit: make the new one before you revoke the old.',
    ),
    role: Role,
    account: Type.Optional(Identifier('For the role `player`: the account that it acts on.')),
  },
  { additionalProperties: false },
);

/** The credentials of callers. */
export function apiKeyRoutes(app: TypedApp, { keyKeeper }: { keyKeeper: KeyKeeper }): void {
  app.post(
    '/v1/api-keys',
    {
      config: { access: access.admins },
      schema: {
        tags: ['Administration'],
        summary: 'Make an API key',
        description: 'It is valid on every replica at once.',
        body: Body,
        response: answers({ 201: NewKey }, bodyErrors),
      },
    },
    async (request, reply) => {
      const { name, role, account = null } = request.body;
      const outcome = await keyKeeper.create({ name, role, account });
      if (outcome.kind === 'refused') {
        const { member, message } = outcome.fault;
        throw invalidRequest(`body /${member} ${message}`, [{ path: `/${member}`, message, in: 'body' }]);
      }
      const { key, token } = outcome;
      request.log.info(
        { apiKey: key.id, name, role, account, actor: callerOf(request).actor },
        'an API key was made',
      );
      return await reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ ...shown(key), secret: token });
    },
  );

  app.get(
    '/v1/api-keys',
    {
      config: { access: access.admins },
      schema: {
        tags: ['Administration'],
        summary: 'The API keys that are valid',
        description: 'Newest first.',
        querystring: Type.Object(paging, { additionalProperties: false }),
        response: answers({ 200: PageOf(Key) }, ['invalid_cursor']),
      },
    },
    async ({ query: { limit, cursor } }) => {
      const [after] = decodeCursor(cursor, 'api-keys', ['string']) ?? [null];
      const rows = await keyKeeper.list({ after, limit: limit + 1 });
      return pageOf(rows, limit, { item: shown, cursor: ({ id }) => encodeCursor('api-keys', id) });
    },
  );

  app.delete(
    '/v1/api-keys/:id',
    {
      config: { access: access.admins },
      schema: {
        tags: ['Administration'],
        summary: 'Revoke an API key',
        description:
          'Answered when no replica takes the key any more, which takes a second. What was sent with it before goes on to its end.',
        params: Type.Object({ id: Type.String({ format: 'uuid', description: 'The key’s id.' }) }),
        response: answers({ 204: Type.Null() }, ['not_found']),
      },
    },
    async (request, reply) => {
      const id = request.params.id.toLowerCase();
      const key = await keyKeeper.revoke(id);
      if (key === undefined)
        throw new Problem('not_found', { detail: `there is no API key ${id}`, members: { apiKey: id } });
      request.log.info(
        { apiKey: id, name: key.name, actor: callerOf(request).actor },
        'an API key was revoked',
      );
      return await reply.code(204).send();
    },
  );
}

function shown({ createdAtMs, lastUsedAtMs, ...key }: ApiKey): Type.Static<typeof Key> {
  const lastUsedAt = lastUsedAtMs === null ? null : timestamp(lastUsedAtMs);
  return { ...key, createdAt: timestamp(createdAtMs), lastUsedAt };
}
