import { expect, test } from 'vitest';
import { levelFaults, levelOf } from './level.ts';
import { quantityMax } from './quantity.ts';

const curve = [0, 100, 300, quantityMax];

test.each([
  [1, 1],
  [99, 1],
  [100, 2],
  [299, 2],
  [300, 3],
  [quantityMax - 1, 3],
  [quantityMax, 4],
])('%i is level %i', (quantity, level) => {
  expect(levelOf({ kind: 'stat', levels: curve }, quantity)).toBe(level);
});

test('below the first threshold is level 0', () => {
  expect(levelOf({ kind: 'stat', levels: [10] }, 9)).toBe(0);
});

test('only a stat has levels, and only one with a sound curve', () => {
  expect(levelOf({ kind: 'currency', levels: curve }, 100)).toBeUndefined();
  expect(levelOf({ kind: 'stat', levels: undefined }, 100)).toBeUndefined();
  expect(levelOf({ kind: 'stat', levels: 'many' }, 100)).toBeUndefined();
  expect(levelOf({ kind: 'stat', levels: [100, 50] }, 100)).toBeUndefined();
});

const whole = { index: null, message: 'must be a list of 1 to 1000 thresholds' };
const number = 'must be a quantity, or 0';
const order = 'must be above the threshold before it';

test.each([
  ['a sound one', curve, []],
  ['a list of a thousand', Array.from({ length: 1000 }, (_, i) => i), []],
  ['a longer list', Array.from({ length: 1001 }, (_, i) => i), [whole]],
  ['an empty list', [], [whole]],
  ['text', '1,2', [whole]],
  ['an object', { 0: 1 }, [whole]],
  ['null', null, [whole]],
  ['a number as text', [0, '100'], [{ index: 1, message: number }]],
  ['a fraction', [0.5], [{ index: 0, message: number }]],
  ['less than nothing', [-1, 0], [{ index: 0, message: number }]],
  ['more than can be counted', [quantityMax + 1], [{ index: 0, message: number }]],
  ['the same twice', [0, 100, 100], [{ index: 2, message: order }]],
  [
    'several faults',
    [5, 3, null, 1, 0],
    [
      { index: 1, message: order },
      { index: 2, message: number },
      { index: 4, message: order },
    ],
  ],
])('as a curve, %s', (_name, levels, faults) => {
  expect(levelFaults(levels)).toEqual(faults);
});
