import { expect, test } from 'vitest';
import { ProgressBar } from './progress-bar.ts';

function stream(isTTY: boolean) {
  let written = '';
  return {
    isTTY,
    write: (text: string) => {
      written += text;
    },
    written: () => written,
  };
}

test('on a terminal it shows how far it is, and leaves one line', () => {
  const terminal = stream(true);
  const bar = new ProgressBar(terminal);
  bar.update(0.5, 'checking accounts');
  expect(terminal.written()).toBe(`\r\u001b[2K${'█'.repeat(15)}${'░'.repeat(15)}  50 % checking accounts`);
  // So soon after, it is not drawn again.
  bar.update(0.6, 'checking accounts');
  expect(terminal.written()).not.toContain('60 %');
  bar.finish('checked');
  expect(terminal.written().endsWith('\r\u001b[2Kchecked\n')).toBe(true);
});

test.each([
  [-1, '  0 %'],
  [7, '100 %'],
])('a fraction of %d is shown as %s', (fraction, percentage) => {
  const terminal = stream(true);
  new ProgressBar(terminal).update(fraction, '');
  expect(terminal.written()).toContain(percentage);
});

test('anywhere else it writes nothing but the line at the end', () => {
  const file = stream(false);
  const bar = new ProgressBar(file);
  bar.update(0.5, 'checking accounts');
  bar.finish('checked');
  expect(file.written()).toBe('checked\n');
});
