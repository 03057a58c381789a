import { Type } from 'typebox';
import { accountNotFound } from '../../domain/rejection.ts';
import type { Reads } from '../../repository/repository.ts';
import { access, callerOf, requireOwn } from '../access.ts';
import { answers } from '../answers.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { etagOf, matchesEtag } from '../etag.ts';
import { pageOf } from '../page.ts';
import { Problem } from '../problem.ts';
import { AssetKind, Identifier, Line, Nullable, paging } from '../schemas.ts';
import type { TypedApp } from '../typed-app.ts';

const InventoryAnswer = Type.Object({
  account: Type.String(),
  version: Type.Integer(),
  holdings: Type.Array(
    Type.Object({
      asset: Type.String(),
      kind: AssetKind,
      quantity: Type.Integer(),
      reserved: Type.Integer({ description: 'What of it is held by reservations and trades.' }),
      available: Type.Integer({ description: 'What of it may be spent.' }),
      level: Type.Optional(
        Type.Integer({
          minimum: 0,
          description:
            'Of a stat with a level curve (`properties.levels`): how many of its thresholds the quantity has reached.',
        }),
      ),
    }),
    { description: 'In the order of assets; what the account has none of is left out.' },
  ),
  nextCursor: Nullable(Type.String()),
});

export function inventoryRoutes(app: TypedApp, { reads }: { reads: Reads }): void {
  app.get(
    '/v1/accounts/:account/inventory',
    {
      config: { access: access.everyone },
      schema: {
        tags: ['Accounts'],
        summary: 'What an account owns',
        description:
          'All of one page is from one moment. The ETag is the version of the account: 304 while nothing has happened to it (with `tag`, and where a level is shown, always 200: tags and level curves change with the catalog).',
        params: Type.Object({ account: Identifier('The account.') }),
        headers: Type.Object({ 'if-none-match': Type.Optional(Type.String({ maxLength: 1000 })) }),
        querystring: Type.Object(
          {
            ...paging,
            kind: Type.Optional(AssetKind),
            tag: Type.Optional(Line(64, 'Only assets with this tag.')),
            asset: Type.Optional(Identifier('Only this asset.')),
          },
          { additionalProperties: false },
        ),
        response: answers(
          { 200: InventoryAnswer, 304: Type.Null({ description: 'Nothing has happened since.' }) },
          ['account_not_found', 'invalid_cursor'],
          { ETag: Type.String({ description: 'The version of the account, in quotes.' }) },
        ),
      },
    },
    async (request, reply) => {
      const { account } = request.params;
      const { limit, cursor, kind, tag, asset } = request.query;
      requireOwn(callerOf(request), account);
      const [after] = decodeCursor(cursor, `inventory of ${account}`, ['string']) ?? [null];
      const inventory = await reads.inventory(account, { kind, tag, asset, after, limit: limit + 1 });
      if (inventory === undefined) throw Problem.rejected(accountNotFound(account));
      const { version, holdings } = inventory;
      reply.header('etag', etagOf(version)).header('cache-control', 'private, no-cache');
      // Tags and levels change with the catalog, of which the account's version knows nothing.
      const ownAlone = tag === undefined && holdings.every(({ level }) => level === undefined);
      if (ownAlone && matchesEtag(request.headers['if-none-match'], version))
        return await reply.code(304).send();
      const page = pageOf(holdings, limit, {
        item: ({ quantity, reserved, level, ...holding }) => ({
          ...holding,
          quantity,
          reserved,
          available: quantity - reserved,
          ...(level === undefined ? {} : { level }),
        }),
        cursor: (last) => encodeCursor(`inventory of ${account}`, last.asset),
      });
      return { account, version, holdings: page.data, nextCursor: page.nextCursor };
    },
  );
}
