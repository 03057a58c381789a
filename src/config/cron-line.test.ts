import { parseCronItem } from 'graphile-worker';
import { expect, test } from 'vitest';
import { cronLine } from './cron-line.ts';

const { parse } = cronLine({ description: 'when', default: 'off' });

const good = ['0 3 * * *', '*/5 * * * *', '59 23 31 12 7', '0,30 0-6 1,15 1-12 0-7', '5,10-20,*/30 * * * 1'];
const bad = [
  '',
  'on',
  '0 3 * *',
  '0 3 * * * *',
  '60 * * * *',
  '0 24 * * *',
  '0 0 0 * *',
  '0 0 * 13 *',
  '0 0 * * 8',
  '*/0 * * * *',
  '5-5 * * * *',
  '9-3 * * * *',
  '1-10/2 * * * *',
  '@daily',
  '0 3 * * mon',
  ' 0 3 * * *',
];

test.each(good)('%s is a cron line, for the scheduler too', (line) => {
  expect(parse(line, 'production')).toBe(line);
  expect(() => parseCronItem({ task: 'any', match: line })).not.toThrow();
});

test.each(bad)('"%s" is none', (line) => {
  expect(() => parse(line, 'production')).toThrow(/^must (be off or five fields|have )/);
});

test('off is no line', () => {
  expect(parse('off', 'production')).toBeNull();
});
