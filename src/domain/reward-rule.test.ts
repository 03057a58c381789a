import { describe, expect, test } from 'vitest';
import { rewardRule } from '../../test/support/shop.ts';
import { isIdentifier } from './identifier.ts';
import { dayOf, earns, inForce, rewardCounter, type EarningOperation } from './reward-rule.ts';

const operation: EarningOperation = {
  id: 'o1',
  type: 'purchase',
  account: 'p1',
  atMs: Date.UTC(2026, 10, 21, 10),
  position: 8,
  listing: 'sale',
  assets: ['gold', 'sword'],
};
const sale = { type: 'purchase', listing: 'sale', asset: 'sword' };

describe('an operation earns', () => {
  test.each([
    ['by its type', { on: { type: 'purchase', listing: null, asset: null } }, true],
    ['not by another type', { on: { type: 'sale', listing: null, asset: null } }, false],
    ['by its listing', { on: { ...sale, asset: null } }, true],
    ['not by another listing', { on: { ...sale, listing: 'other' } }, false],
    ['by an asset it touches', { on: { ...sale, listing: null } }, true],
    ['not by another asset', { on: { ...sale, asset: 'gem' } }, false],
    ['by all of it', { on: sale }, true],
    ['not by part of it', { on: { ...sale, type: 'sale' } }, false],
    ['by a rule from before it', { since: 7 }, true],
    ['not by a rule that was put at its position', { since: 8 }, false],
    ['not by a later rule', { since: 9 }, false],
    ['not by a rule that is not enabled', { enabled: false }, false],
  ])('%s', (_name, rest, expected) => {
    expect(earns(rewardRule('r', rest), operation)).toBe(expected);
  });

  test('without a listing not by a rule about one', () => {
    expect(earns(rewardRule('r', { on: sale }), { ...operation, listing: null })).toBe(false);
  });
});

describe('a rule comes into force', () => {
  const input = rewardRule('r');
  const off = { ...input, enabled: false };

  test('when it is put first, and then stays in force whatever becomes of it', () => {
    const first = inForce(input, undefined, 5);
    expect(first).toEqual({ ...input, since: 5 });
    expect(inForce({ ...input, dailyLimit: 2 }, first, 9)).toEqual({ ...input, dailyLimit: 2, since: 5 });
  });

  test('and when it is enabled again', () => {
    const first = inForce(input, undefined, 5);
    const stopped = inForce(off, first, 9);
    expect(stopped).toEqual({ ...off, since: 5 });
    expect(inForce(off, stopped, 11)).toEqual(stopped);
    expect(inForce(input, stopped, 12)).toEqual({ ...input, since: 12 });
  });

  test('though it was not enabled at first', () => {
    expect(inForce(input, inForce(off, undefined, 3), 4).since).toBe(4);
  });
});

test('days are those of UTC, and each has its count, under a name that no listing can have', () => {
  const midnight = Date.UTC(2026, 10, 22);
  expect([midnight - 1, midnight].map(dayOf)).toEqual(['2026-11-21', '2026-11-22']);
  expect(rewardCounter('xp', '2026-11-21')).toBe('/reward-rules/xp/2026-11-21');
  expect(isIdentifier(rewardCounter('xp', '2026-11-21'))).toBe(false);
});
