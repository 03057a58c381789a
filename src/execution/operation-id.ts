import { randomUUID } from 'node:crypto';

/**
 * A new UUIDv7 (RFC 9562, section 5.7): the time in its first 48 bits keeps the ends of the indexes warm. It orders
 * nothing: the feed's order is the position's.
 */
export function newOperationId(): string {
  const timeMs = Date.now().toString(16).padStart(12, '0');
  // The random part is that of a UUIDv4, whose variant is in the same place, and whose randomness Node draws ahead.
  return `${timeMs.slice(0, 8)}-${timeMs.slice(8)}-7${randomUUID().slice(15)}`;
}
