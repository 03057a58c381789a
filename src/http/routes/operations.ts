import { Type } from 'typebox';
import type { Reads } from '../../repository/repository.ts';
import { access, callerOf, requireOwn } from '../access.ts';
import { answers } from '../answers.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { Problem } from '../problem.ts';
import { paging, Receipt } from '../schemas.ts';
import type { TypedApp } from '../typed-app.ts';

const json = 'application/json; charset=utf-8';

/** Reading what was done. Receipts are kept as text and sent as they are. */
export function operationReadRoutes(app: TypedApp, { reads }: { reads: Reads }): void {
  app.get(
    '/v1/operations/:id',
    {
      config: { access: access.everyone },
      schema: {
        tags: ['Operations'],
        summary: 'The receipt of an operation',
        params: Type.Object({ id: Type.String({ format: 'uuid', description: 'The operation.' }) }),
        response: answers({ 200: Receipt }, ['operation_not_found']),
      },
    },
    async (request, reply) => {
      const id = request.params.id.toLowerCase();
      const found = await reads.operation(id);
      if (found === undefined)
        throw new Problem('operation_not_found', {
          detail: `there is no operation ${id}`,
          members: { operation: id },
        });
      requireOwn(callerOf(request), found.home);
      return await reply.type(json).send(found.receipt);
    },
  );

  app.get(
    '/v1/operations',
    {
      config: { access: access.readers },
      schema: {
        tags: ['Operations'],
        summary: 'The feed of all operations',
        description:
          'In the order in which they took effect, no gaps, nothing twice. There is always a `nextCursor`: ask with it as `after` for what comes next.',
        querystring: Type.Object(
          {
            limit: paging.limit,
            after: Type.Optional(
              Type.String({
                maxLength: 512,
                description: 'The `nextCursor` of the page before; none: from the beginning.',
              }),
            ),
          },
          { additionalProperties: false },
        ),
        response: answers({ 200: Type.Object({ data: Type.Array(Receipt), nextCursor: Type.String() }) }, [
          'invalid_cursor',
        ]),
      },
    },
    async (request, reply) => {
      const { limit, after } = request.query;
      const [position] = decodeCursor(after, 'feed', ['number']) ?? [0];
      const items = await reads.feed(position, limit);
      const nextCursor = encodeCursor('feed', items.at(-1)?.position ?? position);
      return await reply
        .type(json)
        .send(`{"data":[${items.map(({ receipt }) => receipt).join(',')}],"nextCursor":"${nextCursor}"}`);
    },
  );
}
