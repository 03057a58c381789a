import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Pacer, type Piece } from './pacer.ts';

const { signal } = new AbortController();
const inTime = { lateMs: 0, signal };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** How long nobody may begin after a piece that took so long. */
async function restAfter(
  workedMs: number,
  { inFlight, yieldAt = 16, lateMs = 0 }: { inFlight: number; yieldAt?: number; lateMs?: number },
): Promise<number> {
  const pacer = new Pacer({ inFlight: () => inFlight, yieldAt });
  const piece = await pacer.begin({ lateMs, signal });
  await vi.advanceTimersByTimeAsync(workedMs);
  piece.end();
  const beganMs = performance.now();
  const begunMs = pacer.begin(inTime).then(() => performance.now());
  await vi.advanceTimersByTimeAsync(1000);
  return (await begunMs) - beganMs;
}

test('background work rests the longer the more callers there are, and the more it has worked', async () => {
  expect(await restAfter(10, { inFlight: 0 })).toBe(0);
  expect(await restAfter(12, { inFlight: 8 })).toBe(3);
  expect(await restAfter(10, { inFlight: 16 })).toBe(10);
  expect(await restAfter(15, { inFlight: 16 })).toBe(15);
  expect(await restAfter(10, { inFlight: 48 })).toBe(90);
});

test('however many they are, it gets on', async () => {
  expect(await restAfter(10, { inFlight: 10_000 })).toBe(160);
  expect(await restAfter(10, { inFlight: 10_000, yieldAt: 0 })).toBe(0);
});

test('what has been behind for longer rests less, and still the longer the more callers there are', async () => {
  expect(await restAfter(12, { inFlight: 32, lateMs: 1000 })).toBe(12);
  expect(await restAfter(9, { inFlight: 48, lateMs: 2000 })).toBe(9);
  expect(await restAfter(9, { inFlight: 48, lateMs: 3_600_000 })).toBe(9);
  expect(await restAfter(5, { inFlight: 10_000, lateMs: 3_600_000 })).toBe(80);
});

test('who has been behind for longest counts, whoever has worked', async () => {
  const pacer = new Pacer({ inFlight: () => 48, yieldAt: 16 });
  const piece = await pacer.begin(inTime);
  await vi.advanceTimersByTimeAsync(9);
  const next = pacer.begin({ lateMs: 2000, signal });
  piece.end();
  await vi.advanceTimersByTimeAsync(9);
  (await next).end();
  expect(performance.now()).toBe(18);
});

test('pieces are done one at a time, in the order in which they were asked for', async () => {
  const pacer = new Pacer({ inFlight: () => 0, yieldAt: 16 });
  const begun: string[] = [];
  const piece = async (name: string): Promise<Piece> => {
    const taken = await pacer.begin(inTime);
    begun.push(name);
    return taken;
  };
  const [first, second, third] = [piece('first'), piece('second'), piece('third')];
  await vi.advanceTimersByTimeAsync(10);
  expect(begun).toEqual(['first']);
  const done = await first;
  done.end();
  // Again: it lets nobody else begin.
  done.end();
  await vi.advanceTimersByTimeAsync(10);
  expect(begun).toEqual(['first', 'second']);
  (await second).end();
  (await third).end();
  expect(begun).toEqual(['first', 'second', 'third']);
});

test('a piece that waits for somebody else gives way, and counts no longer than that', async () => {
  const pacer = new Pacer({ inFlight: () => 16, yieldAt: 16 });
  await pacer.begin(inTime);
  const within = pacer.beginWithin(29, inTime);
  await vi.advanceTimersByTimeAsync(29);
  expect(await within).toBeUndefined();
  const next = pacer.begin(inTime);
  await vi.advanceTimersByTimeAsync(1);
  (await next).end();
  expect(performance.now()).toBe(30);
});

test('who waits for no longer than it can leaves its place to the next', async () => {
  const pacer = new Pacer({ inFlight: () => 0, yieldAt: 16 });
  const first = await pacer.begin(inTime);
  const within = pacer.beginWithin(5, inTime);
  const next = pacer.begin(inTime);
  await vi.advanceTimersByTimeAsync(5);
  expect(await within).toBeUndefined();
  first.end();
  (await next).end();
  expect(await pacer.beginWithin(0, inTime)).toBeDefined();
});

test('nobody waits once it is to stop', async () => {
  const pacer = new Pacer({ inFlight: () => 16, yieldAt: 16 });
  const stopping = new AbortController();
  const options = { lateMs: 0, signal: stopping.signal };
  const first = await pacer.begin(options);
  const waiting = [pacer.begin(options), pacer.beginWithin(1000, options)];
  stopping.abort();
  for (const piece of await Promise.all(waiting)) piece?.end();
  first.end();
  (await pacer.begin(options)).end();
  expect(vi.getTimerCount()).toBe(0);
});
