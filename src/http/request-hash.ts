import { hash } from 'node:crypto';

/**
 * What tells one request from another under the same idempotency key: method, path and body. The order of a body's
 * members and its white space don't count.
 */
export function requestHash(method: string, path: string, body: unknown): string {
  return hash('sha256', `${method} ${path}\n${canonical(body)}`, 'base64url');
}

/** JSON with the members of each object in one order. */
function canonical(value: unknown): string {
  if (value === undefined) return '';
  return JSON.stringify(value, (_, member: unknown) =>
    isPlainObject(member) ? sortedMembers(member) : member,
  );
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function sortedMembers(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));
}
