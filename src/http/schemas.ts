import { Type, type TSchema } from 'typebox';
import { assetKinds } from '../domain/asset.ts';
import { identifierPattern } from '../domain/identifier.ts';
import { quantityMax } from '../domain/quantity.ts';
import { errorCodes } from './error-codes.ts';

/** The parts that routes share: what they take, answer and describe is made of these. */

/** Lines in one list of assets. */
const linesMax = 100;
/** Ten years: what a period may last, so that adding it to any time is still a time. */
const secondsMax = 315_360_000;

export const Identifier = (description: string) => Type.String({ pattern: identifierPattern, description });

export const Quantity = Type.Integer({ minimum: 1, maximum: quantityMax });

export const Seconds = Type.Integer({ minimum: 1, maximum: secondsMax });

/** Text for people, in one line: no control characters, nothing that UTF-8 can't carry. */
export const Line = (maxLength: number, description: string) =>
  Type.String({ minLength: 1, maxLength, pattern: '^[^\\p{Cc}\\p{Cs}]*$', description });

export const AssetQuantity = Type.Object(
  { asset: Identifier('An asset of the catalog.'), quantity: Quantity },
  { additionalProperties: false },
);

export const Assets = (description: string) =>
  Type.Array(AssetQuantity, { minItems: 1, maxItems: linesMax, description });

export const Price = (description: string) => Type.Array(AssetQuantity, { maxItems: linesMax, description });

export const Reason = Type.String({
  minLength: 1,
  maxLength: 500,
  description: 'Kept with the operation, in its details.',
});

export const Properties = Type.Record(Type.String(), Type.Unknown(), {
  description: 'Anything a client wants to keep with it. Given back as it is.',
});

export const AssetKind = Type.Enum([...assetKinds]);

export const Timestamp = Type.String({ format: 'date-time', description: 'RFC 3339.' });

export const Nullable = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()]);

/** What an answer holds; an answer may gain fields, so it is not closed. */
export const Entry = Type.Object({
  account: Type.String(),
  asset: Type.String(),
  delta: Type.Integer(),
  balance: Type.Integer({ description: 'The quantity owned after the operation.' }),
});

export const Receipt = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    type: Type.String(),
    at: Type.String({ format: 'date-time' }),
    actor: Type.String({
      description: 'Who did it: `key:<name>` or `player:<account>`; `rewards`: a reward rule.',
    }),
    dryRun: Type.Boolean(),
    entries: Type.Array(Entry, { description: 'In the order account, asset.' }),
    accounts: Type.Record(Type.String(), Type.Object({ version: Type.Integer() })),
    details: Type.Record(Type.String(), Type.Unknown()),
  },
  { $id: 'Receipt' },
);

export const ProblemDetails = Type.Object(
  {
    type: Type.String({ description: 'Where the code is explained.' }),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({ enum: Object.keys(errorCodes) }),
    detail: Type.String(),
    instance: Type.String({ description: 'The path of the request.' }),
    requestId: Type.String(),
    retryable: Type.Boolean({ description: 'Whether the same request may succeed later.' }),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          path: Type.String({ description: 'A JSON pointer.' }),
          message: Type.String(),
          in: Type.Optional(Type.String()),
        }),
      ),
    ),
  },
  {
    $id: 'Problem',
    description:
      'RFC 9457. A rejection adds what helps, such as asset, required, available, listing, remaining.',
  },
);

/** `?limit=` and `?cursor=`. */
export const paging = {
  limit: Type.Integer({ minimum: 1, maximum: 200, default: 50, description: 'How many at most.' }),
  cursor: Type.Optional(Type.String({ maxLength: 512, description: 'The `nextCursor` of the page before.' })),
};

export const PageOf = <Schema extends TSchema>(item: Schema) =>
  Type.Object({ data: Type.Array(item), nextCursor: Nullable(Type.String()) });
