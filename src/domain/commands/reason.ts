import type { JsonObject } from '../json.ts';

/** The detail that keeps the caller's reason on record, where there was one. */
export function reasonGiven(reason: string | undefined): JsonObject {
  return reason === undefined ? {} : { reason };
}
