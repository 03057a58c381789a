import { expect, test } from 'vitest';
import { newOperationId } from './operation-id.ts';

test('it is a UUIDv7: the time in its first 48 bits, the version and the variant in their places', () => {
  const before = Date.now();
  const id = newOperationId();
  const after = Date.now();
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const atMs = Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);
  expect(atMs).toBeGreaterThanOrEqual(before);
  expect(atMs).toBeLessThanOrEqual(after);
});

test('no two are the same, also within a millisecond', () => {
  expect(new Set(Array.from({ length: 10_000 }, newOperationId)).size).toBe(10_000);
});
