import { expect, test } from 'vitest';
import { parseRetryAfterMs, restMs, retryDelaysMs, retryInMs } from './retry-plan.ts';

const plan = { attemptsMax: 10, delaysMs: retryDelaysMs, random: () => 0 };
const minute = 60_000;
const hour = 60 * minute;

test('the delays are those that Standard Webhooks suggests, and after the last attempt there is none', () => {
  const delays = Array.from({ length: 10 }, (_, failures) => retryInMs(plan, failures + 1, null));
  expect(delays).toEqual([
    5000,
    5 * minute,
    30 * minute,
    2 * hour,
    5 * hour,
    10 * hour,
    14 * hour,
    20 * hour,
    24 * hour,
    null,
  ]);
});

test('the last delay holds for further attempts', () => {
  expect(retryInMs({ ...plan, attemptsMax: 12 }, 11, null)).toBe(24 * hour);
  expect(retryInMs({ ...plan, attemptsMax: 1 }, 1, null)).toBeNull();
  // One that was sent again by hand after its last attempt.
  expect(retryInMs(plan, 11, null)).toBeNull();
});

test('a delay is longer by up to a fifth', () => {
  expect(retryInMs({ ...plan, random: () => 0.5 }, 2, null)).toBe(5.5 * minute);
});

test('an endpoint may ask for a longer delay, up to a day, and for no shorter one', () => {
  expect(retryInMs(plan, 1, 60_000)).toBe(60_000);
  expect(retryInMs(plan, 2, 60_000)).toBe(5 * minute);
  expect(retryInMs(plan, 1, 100 * hour)).toBe(24 * hour);
  expect(retryInMs(plan, 10, 60_000)).toBeNull();
});

test('an endpoint that is away rests as long as it has been away, within bounds, or as it asks', () => {
  expect([null, 1000, 20_000, hour].map((failingMs) => restMs(failingMs, null))).toEqual([
    5000,
    5000,
    20_000,
    5 * minute,
  ]);
  expect(restMs(null, 60_000)).toBe(60_000);
  expect(restMs(null, 5 * hour)).toBe(hour);
});

test('a Retry-After is in seconds or a date', () => {
  const nowMs = Date.UTC(2026, 10, 21, 10);
  expect(parseRetryAfterMs('120', nowMs)).toBe(120_000);
  expect(parseRetryAfterMs('Sat, 21 Nov 2026 10:00:30 GMT', nowMs)).toBe(30_000);
  expect(parseRetryAfterMs('Sat, 21 Nov 2026 09:00:00 GMT', nowMs)).toBe(0);
  for (const value of [undefined, '', 'soon', '-5', '1e99'])
    expect(parseRetryAfterMs(value, nowMs), value).toBeNull();
});
