import { isIdentifier } from '../domain/identifier.ts';
import { Problem } from './problem.ts';

/** An opaque cursor that says where a page ended. `kind` tells it from the cursors of other lists. */
export function encodeCursor(kind: string, ...place: readonly (string | number)[]): string {
  return encoded([kind, ...place]);
}

/** The place in a cursor, whose parts must be of these types; null where there is no cursor. */
export function decodeCursor<const Types extends readonly ('string' | 'number')[]>(
  cursor: string | undefined,
  kind: string,
  types: Types,
): Place<Types> | null {
  if (cursor === undefined) return null;
  const parts = parse(cursor);
  if (parts?.[0] !== kind || parts.length !== types.length + 1) throw new Problem('invalid_cursor');
  const place = parts.slice(1);
  // Base64 can be written in several ways; a cursor is taken only as it was given out.
  if (encoded(parts) !== cursor) throw new Problem('invalid_cursor');
  if (!place.every((part, i) => typeof part === types[i] && isPlausible(part)))
    throw new Problem('invalid_cursor');
  return place as unknown as Place<Types>;
}

type Place<Types extends readonly ('string' | 'number')[]> = {
  [Index in keyof Types]: Types[Index] extends 'string' ? string : number;
};

function encoded(parts: readonly unknown[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

function parse(cursor: string): readonly unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Text in a cursor is an identifier, a number a version or a position: anything else never came from here. */
function isPlausible(part: unknown): boolean {
  return typeof part === 'string' ? isIdentifier(part) : Number.isSafeInteger(part) && Number(part) >= 0;
}
