import { describe, expect, test } from 'vitest';
import { listing } from '../../test/support/shop.ts';
import { isOpen } from './listing.ts';

describe('a listing is open', () => {
  test.each([
    ['always, if it has no times', null, null, 0, true],
    ['not before it opens', 100, null, 99, false],
    ['from the moment it opens', 100, null, 100, true],
    ['until just before it closes', null, 200, 199, true],
    ['not at the moment it closes', null, 200, 200, false],
    ['between its times', 100, 200, 150, true],
    ['never, if it closes before it opens', 200, 100, 150, false],
  ])('%s', (_name, opensAtMs, closesAtMs, nowMs, open) => {
    expect(isOpen(listing('sale', { opensAtMs, closesAtMs }), nowMs)).toBe(open);
  });
});
