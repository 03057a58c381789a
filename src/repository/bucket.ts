import { crc32 } from 'node:zlib';

const bucketCount = 256;

/**
 * The bucket that a row of this home lives in: crc32 of the id, modulo 256, fixed forever. On one server nothing
 * depends on it; a distributed PostgreSQL shards by it.
 */
export function bucketOf(home: string): number {
  return crc32(home) % bucketCount;
}
