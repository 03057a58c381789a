import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { quantityMax } from './quantity.ts';
import { refillDue, type Stock } from './stock.ts';

const rule = { quantity: 3, everySeconds: 10, max: 20 };
const at = (remaining: number, refilledAtMs = 0): Stock => ({
  listing: 'sale',
  offered: 20,
  refilled: 0,
  remaining,
  refilledAtMs,
});

describe('refills that are due', () => {
  test.each([
    ['none before the first period is over', 5, 9_999, 0, 0],
    ['those of one period when it is over', 5, 10_000, 3, 10_000],
    ['those of each period that is over', 5, 39_999, 9, 30_000],
    ['no more than there is room for', 18, 10_000, 2, 10_000],
    ['none while it is full: that time earns nothing', 20, 45_000, 0, 40_000],
    ['none while there is more than the rule would fill up to', 25, 45_000, 0, 40_000],
    ['none before the time up to which they are counted', 5, -50_000, 0, 0],
  ])('%s', (_name, remaining, nowMs, quantity, refilledAtMs) => {
    expect(refillDue(at(remaining), rule, nowMs)).toEqual({ quantity, refilledAtMs });
  });

  test('none without a rule', () => {
    expect(refillDue(at(0), null, 1e12)).toEqual({ quantity: 0, refilledAtMs: 0 });
  });

  test('never more than can be counted', () => {
    const nearlyAll = { ...at(0), refilled: quantityMax - 2 };
    const greedy = { quantity: quantityMax, everySeconds: 1, max: quantityMax };
    expect(refillDue(nearlyAll, greedy, 10_000)).toEqual({ quantity: 2, refilledAtMs: 10_000 });
    expect(refillDue(at(quantityMax - 1), greedy, 1e15)).toEqual({ quantity: 1, refilledAtMs: 1e15 });
  });

  test('do not depend on how often they are counted, as long as nothing is full', () => {
    const property = fc.property(
      fc.array(fc.integer({ min: 0, max: 100_000 }), { minLength: 1, maxLength: 10 }),
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 60 }),
      (times, quantity, everySeconds) => {
        const generous = { quantity, everySeconds, max: 1_000_000 };
        const moments = [...times].sort((a, b) => a - b);
        let stock = at(0);
        for (const moment of moments) {
          const due = refillDue(stock, generous, moment);
          stock = { ...stock, remaining: stock.remaining + due.quantity, refilledAtMs: due.refilledAtMs };
        }
        const once = refillDue(at(0), generous, moments.at(-1) ?? 0);
        expect({ quantity: stock.remaining, refilledAtMs: stock.refilledAtMs }).toEqual(once);
      },
    );
    fc.assert(property);
  });

  test('are exact, never below nothing and never beyond the room, whatever the numbers', () => {
    const anyCount = fc.maxSafeNat();
    const property = fc.property(
      fc.record({ refilled: anyCount, remaining: anyCount, refilledAtMs: fc.integer({ min: 0, max: 1e15 }) }),
      fc.record({ quantity: anyCount, everySeconds: fc.integer({ min: 1, max: 1e12 }), max: anyCount }),
      fc.integer({ min: 0, max: 1e15 }),
      (counts, anyRule, nowMs) => {
        const due = refillDue({ ...at(0), ...counts }, anyRule, nowMs);
        expect(Number.isSafeInteger(due.quantity)).toBe(true);
        expect(due.quantity).toBeGreaterThanOrEqual(0);
        expect(due.quantity).toBeLessThanOrEqual(Math.max(0, anyRule.max - counts.remaining));
        expect(due.quantity).toBeLessThanOrEqual(quantityMax - counts.refilled);
        expect(due.refilledAtMs).toBeLessThanOrEqual(Math.max(nowMs, counts.refilledAtMs));
        expect(due.refilledAtMs).toBeGreaterThanOrEqual(counts.refilledAtMs);
      },
    );
    fc.assert(property, { numRuns: 1_000 });
  });
});
