import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareIdentifiers, identifierPattern } from './identifier.ts';

const anyIdentifier = fc.stringMatching(new RegExp(identifierPattern));

test('identifiers are compared byte by byte, as the database does', () => {
  expect(['a.b', 'B', 'a-b', 'ab', 'a', 'a_b', 'a:b', 'aB'].sort(compareIdentifiers)).toEqual([
    'B',
    'a',
    'a-b',
    'a.b',
    'a:b',
    'aB',
    'a_b',
    'ab',
  ]);
  const property = fc.property(anyIdentifier, anyIdentifier, (a, b) => {
    expect(Math.sign(compareIdentifiers(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
  });
  fc.assert(property, { numRuns: 1_000 });
});

test('no identifier begins with a slash or holds a space: the keys that are made of them rely on it', () => {
  const property = fc.property(anyIdentifier, (id) => {
    expect(id).toMatch(/^[^/\s][^\s]*$/);
    expect(id.length).toBeLessThanOrEqual(64);
  });
  fc.assert(property);
});
