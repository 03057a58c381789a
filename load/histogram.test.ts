import { describe, expect, it } from 'vitest';
import { Histogram } from './histogram.ts';

describe('Histogram', () => {
  it('counts short durations to the microsecond', () => {
    const histogram = new Histogram();
    for (let us = 1; us <= 100; us += 1) histogram.record(us / 1000);
    expect(histogram.count).toBe(100);
    expect(histogram.quantileMs(0.5)).toBe(0.05);
    expect(histogram.quantileMs(0.99)).toBe(0.099);
    expect(histogram.quantileMs(1)).toBe(0.1);
    expect(histogram.maxMs).toBe(0.1);
  });

  it('is never too low, and at most 1.6 % too high, over its whole range', () => {
    for (let ms = 0.001; ms < 2_000_000; ms *= 1.37) {
      const histogram = new Histogram();
      histogram.record(ms);
      histogram.record(ms * 4);
      const us = Math.round(ms * 1000) / 1000;
      expect(histogram.quantileMs(0.5)).toBeGreaterThanOrEqual(us);
      expect(histogram.quantileMs(0.5)).toBeLessThanOrEqual(us * 1.016);
    }
  });

  it('knows the quantiles of ten thousand durations', () => {
    const histogram = new Histogram();
    for (let i = 1; i <= 10_000; i += 1) histogram.record(i / 100);
    for (const share of [0.5, 0.9, 0.99]) {
      expect(histogram.quantileMs(share)).toBeGreaterThanOrEqual(share * 100);
      expect(histogram.quantileMs(share)).toBeLessThanOrEqual(share * 101.6);
    }
    expect(histogram.maxMs).toBe(100);
  });

  it('answers 0 when nothing was recorded, and keeps what is beyond its range', () => {
    const histogram = new Histogram();
    expect([histogram.count, histogram.quantileMs(0.99), histogram.maxMs]).toEqual([0, 0, 0]);
    histogram.record(9_000_000);
    histogram.record(-1);
    expect([histogram.count, histogram.quantileMs(0.5), histogram.maxMs]).toEqual([2, 0, 9_000_000]);
    expect(histogram.quantileMs(1)).toBeGreaterThan(2_000_000);
  });
});
