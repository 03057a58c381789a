import { Type } from 'typebox';
import type { Asset } from '../../domain/asset.ts';
import type { JsonObject } from '../../domain/json.ts';
import { levelFaults, levelsMax } from '../../domain/level.ts';
import type { CatalogEditor } from '../../execution/catalog-editor.ts';
import type { Reads } from '../../repository/repository.ts';
import { access } from '../access.ts';
import { answers, bodyErrors } from '../answers.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { pageOf } from '../page.ts';
import { invalidRequest, Problem } from '../problem.ts';
import {
  AssetKind,
  AssetQuantity,
  Identifier,
  Line,
  Nullable,
  PageOf,
  paging,
  Quantity,
} from '../schemas.ts';
import type { TypedApp } from '../typed-app.ts';
import { faultsMax } from '../validation.ts';

const tagsMax = 50;

const AssetProperties = Type.Record(Type.String(), Type.Unknown(), {
  description: `Anything a client wants to keep with it. Given back as it is; the service looks at one thing: \`levels\` of a stat is its level curve, a list of up to ${levelsMax} ascending quantities. Inventories then show the level, which is how many of them are reached: with \`[0, 100, 300]\`, 99 are level 1 and 300 are level 3.`,
});

const AssetBody = Type.Object(
  {
    name: Line(200, 'Shown to people.'),
    kind: AssetKind,
    stackLimit: Type.Optional(Nullable(Quantity)),
    tradable: Type.Boolean({
      default: true,
      description: 'Whether accounts may transfer it among themselves.',
    }),
    sellPrice: Type.Optional(Nullable(Type.Array(AssetQuantity, { minItems: 1, maxItems: 100 }))),
    tags: Type.Array(Line(64, 'A tag.'), { default: [], maxItems: tagsMax, uniqueItems: true }),
    properties: Type.Optional(AssetProperties),
  },
  { additionalProperties: false },
);

const AssetAnswer = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    kind: AssetKind,
    stackLimit: Nullable(Type.Integer({ description: 'The most one account may hold.' })),
    tradable: Type.Boolean(),
    sellPrice: Nullable(Type.Array(AssetQuantity, { description: 'What the shop pays for one.' })),
    tags: Type.Array(Type.String()),
    properties: AssetProperties,
  },
  { $id: 'Asset' },
);

const AssetParams = Type.Object({ asset: Identifier('The asset.') });

/** The catalog's assets. */
export function assetRoutes(app: TypedApp, deps: { reads: Reads; catalogEditor: CatalogEditor }): void {
  const { reads, catalogEditor } = deps;

  app.put(
    '/v1/assets/:asset',
    {
      config: { access: access.admins },
      schema: {
        tags: ['Catalog'],
        summary: 'Create or replace an asset',
        description: 'Fields that are left out take their defaults. The kind of an asset never changes.',
        params: AssetParams,
        body: AssetBody,
        response: answers({ 200: AssetAnswer, 201: AssetAnswer }, [
          'asset_not_found',
          'catalog_conflict',
          'busy',
          ...bodyErrors,
        ]),
      },
    },
    async (request, reply) => {
      const { stackLimit = null, sellPrice = null, properties = {}, ...body } = request.body;
      const asset: Asset = {
        id: request.params.asset,
        ...body,
        stackLimit,
        sellPrice,
        // What JSON was read from can be written as JSON.
        properties: properties as JsonObject,
      };
      refuseLevels(asset);
      const put = await catalogEditor.putAsset(asset);
      if (put.kind === 'rejected') throw Problem.rejected(put);
      return await reply.code(put.created ? 201 : 200).send(asset);
    },
  );

  app.get(
    '/v1/assets/:asset',
    {
      config: { access: access.everyone },
      schema: {
        tags: ['Catalog'],
        summary: 'One asset',
        params: AssetParams,
        response: answers({ 200: AssetAnswer }, ['asset_not_found']),
      },
    },
    async (request) => {
      const { asset } = request.params;
      const found = await reads.asset(asset);
      if (found === undefined)
        throw new Problem('asset_not_found', {
          detail: `asset ${asset} is not in the catalog`,
          members: { asset },
        });
      return found;
    },
  );

  app.get(
    '/v1/assets',
    {
      config: { access: access.everyone },
      schema: {
        tags: ['Catalog'],
        summary: 'The assets',
        description: 'In the order of their ids.',
        querystring: Type.Object(paging, { additionalProperties: false }),
        response: answers({ 200: PageOf(AssetAnswer) }, ['invalid_cursor']),
      },
    },
    async ({ query: { limit, cursor } }) => {
      const [after] = decodeCursor(cursor, 'assets', ['string']) ?? [null];
      const rows = await reads.assets({ after, limit: limit + 1 });
      return pageOf(rows, limit, { item: (asset) => asset, cursor: ({ id }) => encodeCursor('assets', id) });
    },
  );
}

/** What a schema can't say, since only a stat has levels. */
function refuseLevels({ kind, properties }: Asset): void {
  if (kind !== 'stat' || !Object.hasOwn(properties, 'levels')) return;
  const faults = levelFaults(properties['levels']).map(({ index, message }) => {
    const path = index === null ? '/properties/levels' : `/properties/levels/${index}`;
    return { path, message, in: 'body' } as const;
  });
  const [first] = faults;
  if (first !== undefined)
    throw invalidRequest(`body ${first.path} ${first.message}`, faults.slice(0, faultsMax));
}
