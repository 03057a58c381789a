import { Type, type TSchema } from 'typebox';
import { errorCodes, type ErrorCodeName } from './error-codes.ts';

/** Every route may answer these. */
const anywhere = [
  'invalid_request',
  'rate_limited',
  'internal_error',
  'database_unavailable',
  'shutting_down',
] as const;
const known = ['unauthenticated', 'forbidden'] as const;

/** What a route with a body may answer besides. */
export const bodyErrors = ['payload_too_large', 'unsupported_media_type'] as const;

/** One answer of a route: its body, and the headers that mean something beside it. */
interface Answer {
  readonly description: string;
  readonly content?: Readonly<Record<string, { readonly schema: TSchema }>>;
  readonly headers?: Readonly<Record<string, TSchema>>;
}

/** The answers of a route for the OpenAPI document: what it says when it succeeds, and each error by its status. */
export function answers(
  success: Readonly<Record<number, TSchema>>,
  errors: readonly ErrorCodeName[],
  headers: Readonly<Record<string, TSchema>> = {},
): Record<string, Answer> {
  const byStatus = new Map<number, ErrorCodeName[]>();
  for (const code of new Set([...known, ...errors, ...anywhere])) {
    const { status } = errorCodes[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const problems = [...byStatus].map(([status, codes]) => [status, problemAnswer(codes)] as const);
  const successes = Object.entries(success).map(
    ([status, schema]) => [status, successAnswer(schema, headers)] as const,
  );
  return Object.fromEntries<Answer>([...successes, ...problems]);
}

function successAnswer(
  schema: TSchema & { type?: string; description?: string },
  headers: Answer['headers'],
): Answer {
  const described = {
    description: schema.description ?? 'Done.',
    ...(headers === undefined ? {} : { headers }),
  };
  return schema.type === 'null' ? described : { ...described, content: { 'application/json': { schema } } };
}

function problemAnswer(codes: readonly ErrorCodeName[]): Answer {
  return {
    description: codes.map((code) => `\`${code}\``).join(', '),
    content: { 'application/problem+json': { schema: Type.Ref('Problem#') } },
  };
}
