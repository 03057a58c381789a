import { expect, test } from 'vitest';
import { RestartBackoff } from './restart-backoff.ts';

test('the wait doubles with each that ends too soon, up to a bound, and counts from the end', () => {
  const backoff = new RestartBackoff({ baseMs: 100, maxMs: 1000 });
  expect(backoff.waitMs(0)).toBe(0);
  const waits = [0, 1000, 2000, 3000, 4000, 5000].map((nowMs) => backoff.ended({ livedMs: 1000, nowMs }));
  expect(waits).toEqual([100, 200, 400, 800, 1000, 1000]);
  expect(backoff.waitMs(5000)).toBe(1000);
  expect(backoff.waitMs(5900)).toBe(100);
  expect(backoff.waitMs(7000)).toBe(0);
});

test('one that lived longer than the longest wait is started at once, and begins the row anew', () => {
  const backoff = new RestartBackoff({ baseMs: 100, maxMs: 1000 });
  backoff.ended({ livedMs: 0, nowMs: 0 });
  backoff.ended({ livedMs: 0, nowMs: 0 });
  expect(backoff.ended({ livedMs: 1001, nowMs: 10_000 })).toBe(0);
  expect(backoff.waitMs(10_000)).toBe(0);
  expect(backoff.ended({ livedMs: 0, nowMs: 10_000 })).toBe(100);
});

test('after a reset it may be tried at once', () => {
  const backoff = new RestartBackoff({ baseMs: 100, maxMs: 1000 });
  backoff.ended({ livedMs: 0, nowMs: 0 });
  backoff.reset();
  expect(backoff.waitMs(0)).toBe(0);
  expect(backoff.ended({ livedMs: 0, nowMs: 0 })).toBe(100);
});
