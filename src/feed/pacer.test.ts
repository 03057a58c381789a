import { expect, test } from 'vitest';
import { Pacer } from './pacer.ts';

test('who works while callers wait rests the longer the more they are, and the more it has worked', () => {
  let inFlight = 0;
  const pacer = new Pacer({ inFlight: () => inFlight, yieldAt: 16 });
  expect(pacer.restMs(10)).toBe(0);
  inFlight = 8;
  expect(pacer.restMs(10)).toBe(2.5);
  inFlight = 16;
  expect(pacer.restMs(10)).toBe(10);
  inFlight = 48;
  expect(pacer.restMs(10)).toBe(90);
});

test('however many they are, it gets on', () => {
  const pacer = new Pacer({ inFlight: () => 10_000, yieldAt: 16 });
  expect(pacer.restMs(10)).toBe(160);
  expect(pacer.restMs(10_000)).toBe(250);
  expect(new Pacer({ inFlight: () => 10_000, yieldAt: 0 }).restMs(10)).toBe(0);
});
