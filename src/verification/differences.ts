import type { Json, JsonObject } from '../domain/json.ts';

/** The members in which two objects differ, as each has them. */
export interface Differences {
  readonly expected: JsonObject;
  readonly found: JsonObject;
  readonly members: readonly string[];
}

/** Undefined: they are the same. */
export function differences(expected: JsonObject, found: JsonObject): Differences | undefined {
  const members = Object.keys(expected).filter((member) => expected[member] !== found[member]);
  if (members.length === 0) return undefined;
  return { expected: only(members, expected), found: only(members, found), members };
}

function only(members: readonly string[], object: JsonObject): JsonObject {
  return Object.fromEntries(members.map((member): [string, Json] => [member, object[member] ?? null]));
}
