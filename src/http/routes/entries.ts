import { Type } from 'typebox';
import { accountNotFound } from '../../domain/rejection.ts';
import { timestamp } from '../../domain/time.ts';
import type { Reads } from '../../repository/repository.ts';
import { access, callerOf, requireOwn } from '../access.ts';
import { answers } from '../answers.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { pageOf } from '../page.ts';
import { Problem } from '../problem.ts';
import { Identifier, PageOf, paging } from '../schemas.ts';
import type { TypedApp } from '../typed-app.ts';

const EntryAnswer = Type.Object({
  operation: Type.String(),
  type: Type.String(),
  at: Type.String(),
  asset: Type.String(),
  delta: Type.Integer(),
  balance: Type.Integer({ description: 'The quantity owned after it.' }),
});

export function entryRoutes(app: TypedApp, { reads }: { reads: Reads }): void {
  app.get(
    '/v1/accounts/:account/entries',
    {
      config: { access: access.everyone },
      schema: {
        tags: ['Accounts'],
        summary: 'The history of an account',
        description: 'Newest first.',
        params: Type.Object({ account: Identifier('The account.') }),
        querystring: Type.Object(
          { ...paging, asset: Type.Optional(Identifier('Only this asset.')) },
          { additionalProperties: false },
        ),
        response: answers({ 200: PageOf(EntryAnswer) }, ['account_not_found', 'invalid_cursor']),
      },
    },
    async (request) => {
      const { account } = request.params;
      const { limit, cursor, asset } = request.query;
      requireOwn(callerOf(request), account);
      const place = decodeCursor(cursor, `entries of ${account}`, ['number', 'string']);
      const before = place === null ? null : { version: place[0], asset: place[1] };
      const entries = await reads.entries(account, { asset, before, limit: limit + 1 });
      if (entries === undefined) throw Problem.rejected(accountNotFound(account));
      return pageOf(entries, limit, {
        item: ({ operation, type, atMs, asset: of, delta, balance }) => ({
          operation,
          type,
          at: timestamp(atMs),
          asset: of,
          delta,
          balance,
        }),
        cursor: (last) => encodeCursor(`entries of ${account}`, last.version, last.asset),
      });
    },
  );
}
