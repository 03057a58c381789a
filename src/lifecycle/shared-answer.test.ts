import { expect, test } from 'vitest';
import { Gate } from '../../test/support/gate.ts';
import { SharedAnswer } from './shared-answer.ts';

test('those who ask at once share one question, and who asks later asks anew', async () => {
  const answered = new Gate();
  let asked = 0;
  const shared = new SharedAnswer(
    async () => {
      asked += 1;
      const number = asked;
      await answered.opened;
      return number;
    },
    { timeoutMs: 60_000 },
  );
  const both = Promise.all([shared.get(), shared.get()]);
  answered.open();
  expect(await both).toEqual([1, 1]);
  expect(await shared.get()).toBe(2);
});

test('what fails, or takes too long, has no answer', async () => {
  const failing = new SharedAnswer(() => Promise.reject(new Error('away')), { timeoutMs: 60_000 });
  expect(await failing.get()).toBeNull();
  const slow = new SharedAnswer(() => new Promise(() => undefined), { timeoutMs: 1 });
  expect(await slow.get()).toBeNull();
});
