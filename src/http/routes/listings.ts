import { Type } from 'typebox';
import type { ListingInput } from '../../domain/offer.ts';
import { quantityMax } from '../../domain/quantity.ts';
import { timeMaxMs, timestampOrNull } from '../../domain/time.ts';
import type { CatalogEditor } from '../../execution/catalog-editor.ts';
import type { ListingOnSale, Reads } from '../../repository/repository.ts';
import { access, callerOf } from '../access.ts';
import { answers, bodyErrors } from '../answers.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { pageOf } from '../page.ts';
import { invalidRequest, Problem, type Fault } from '../problem.ts';
import {
  AssetQuantity,
  Assets,
  Identifier,
  Nullable,
  PageOf,
  paging,
  Price,
  Quantity,
  Seconds,
  Timestamp,
} from '../schemas.ts';
import type { TypedApp } from '../typed-app.ts';

const RestockRule = Type.Object(
  {
    quantity: Quantity,
    everySeconds: Seconds,
    max: Type.Integer({ ...Quantity, description: 'Refills stop when so many are left.' }),
  },
  { additionalProperties: false, description: 'How the stock refills itself.' },
);

const ListingBody = Type.Object(
  {
    price: Price('For one unit; none: it is free.'),
    goods: Assets('In one unit.'),
    stock: Type.Optional(
      Nullable(
        Type.Integer({
          minimum: 0,
          maximum: quantityMax,
          description:
            'How many are offered in all; null: unlimited. The same again refills nothing, another adds the difference, none leaves it alone.',
        }),
      ),
    ),
    perAccountLimit: Type.Optional(Nullable(Quantity)),
    limitPeriodSeconds: Type.Optional(Nullable(Seconds)),
    opensAt: Type.Optional(Nullable(Timestamp)),
    closesAt: Type.Optional(Nullable(Timestamp)),
    restock: Type.Optional(Nullable(RestockRule)),
  },
  { additionalProperties: false },
);

const ListingAnswer = Type.Object(
  {
    id: Type.String(),
    price: Type.Array(AssetQuantity),
    goods: Type.Array(AssetQuantity),
    stock: Nullable(Type.Integer({ description: 'How many are offered in all; null: unlimited.' })),
    remaining: Nullable(
      Type.Integer({ description: 'What is left, refills that are due included; null: unlimited.' }),
    ),
    perAccountLimit: Nullable(
      Type.Integer({ description: 'The most units one account may buy, in each period where there is one.' }),
    ),
    limitPeriodSeconds: Nullable(
      Type.Integer({ description: 'A period begins with the first purchase in it.' }),
    ),
    opensAt: Nullable(Type.String()),
    closesAt: Nullable(Type.String()),
    restock: Nullable(RestockRule),
  },
  { $id: 'Listing' },
);

const ListingParams = Type.Object({ listing: Identifier('The listing.') });

/** The catalog's listings. Restocking them is an operation, and lies with the operations. */
export function listingRoutes(app: TypedApp, deps: { reads: Reads; catalogEditor: CatalogEditor }): void {
  const { reads, catalogEditor } = deps;

  async function find(listing: string): Promise<ListingOnSale> {
    const found = await reads.listing(listing);
    if (found !== undefined) return found;
    throw new Problem('listing_not_found', {
      detail: `listing ${listing} is not in the catalog`,
      members: { listing },
    });
  }

  app.put(
    '/v1/listings/:listing',
    {
      config: { access: access.admins },
      schema: {
        tags: ['Catalog'],
        summary: 'Create or replace a listing',
        description:
          'Fields that are left out take their defaults, except `stock`: none leaves it as it is. A change of stock is on record as an operation.',
        params: ListingParams,
        body: ListingBody,
        response: answers({ 200: ListingAnswer, 201: ListingAnswer }, [
          'asset_not_found',
          'catalog_conflict',
          'quantity_overflow',
          'busy',
          ...bodyErrors,
        ]),
      },
    },
    async (request, reply) => {
      const { listing } = request.params;
      const put = await catalogEditor.putListing(
        listingInput(listing, request.body),
        callerOf(request).actor,
      );
      if (put.kind === 'rejected') throw Problem.rejected(put);
      return await reply.code(put.created ? 201 : 200).send(shown(await find(listing)));
    },
  );

  app.get(
    '/v1/listings/:listing',
    {
      config: { access: access.everyone },
      schema: {
        tags: ['Catalog'],
        summary: 'One listing, with what is left of it',
        params: ListingParams,
        response: answers({ 200: ListingAnswer }, ['listing_not_found']),
      },
    },
    async (request) => shown(await find(request.params.listing)),
  );

  app.get(
    '/v1/listings',
    {
      config: { access: access.everyone },
      schema: {
        tags: ['Catalog'],
        summary: 'The listings, with what is left of them',
        description: 'In the order of their ids.',
        querystring: Type.Object(paging, { additionalProperties: false }),
        response: answers({ 200: PageOf(ListingAnswer) }, ['invalid_cursor']),
      },
    },
    async ({ query: { limit, cursor } }) => {
      const [after] = decodeCursor(cursor, 'listings', ['string']) ?? [null];
      const rows = await reads.listings({ after, limit: limit + 1 });
      return pageOf(rows, limit, { item: shown, cursor: ({ id }) => encodeCursor('listings', id) });
    },
  );
}

function listingInput(id: string, body: Type.Static<typeof ListingBody>): ListingInput {
  const {
    price,
    goods,
    stock,
    perAccountLimit = null,
    limitPeriodSeconds = null,
    opensAt = null,
    closesAt = null,
  } = body;
  const input = {
    id,
    price,
    goods,
    stock,
    perAccountLimit,
    limitPeriodSeconds,
    opensAtMs: opensAt === null ? null : Date.parse(opensAt),
    closesAtMs: closesAt === null ? null : Date.parse(closesAt),
    restock: body.restock ?? null,
  };
  const faults = faultsOf(input);
  const [first] = faults;
  if (first !== undefined) throw invalidRequest(`body ${first.path} ${first.message}`, faults);
  return input;
}

/** What a schema can't say. */
function faultsOf({
  opensAtMs,
  closesAtMs,
  perAccountLimit,
  limitPeriodSeconds,
  stock,
  restock,
}: ListingInput): Fault[] {
  const faults: Fault[] = [];
  for (const [path, ms] of Object.entries({ '/opensAt': opensAtMs, '/closesAt': closesAtMs })) {
    if (ms !== null && !(ms >= 0 && ms <= timeMaxMs))
      faults.push({ path, message: 'must be a time from 1970 to 9999', in: 'body' });
  }
  if (opensAtMs !== null && closesAtMs !== null && closesAtMs <= opensAtMs) {
    faults.push({ path: '/closesAt', message: 'must be after opensAt', in: 'body' });
  }
  if (limitPeriodSeconds !== null && perAccountLimit === null) {
    faults.push({ path: '/limitPeriodSeconds', message: 'needs a perAccountLimit', in: 'body' });
  }
  if (restock !== null && stock === null) {
    faults.push({ path: '/restock', message: 'needs a limited stock', in: 'body' });
  }
  return faults;
}

function shown(listing: ListingOnSale): Type.Static<typeof ListingAnswer> {
  return {
    id: listing.id,
    price: [...listing.price],
    goods: [...listing.goods],
    stock: listing.stock?.offered ?? null,
    remaining: listing.stock?.remaining ?? null,
    perAccountLimit: listing.perAccountLimit,
    limitPeriodSeconds: listing.limitPeriodSeconds,
    opensAt: timestampOrNull(listing.opensAtMs),
    closesAt: timestampOrNull(listing.closesAtMs),
    restock: listing.restock,
  };
}
