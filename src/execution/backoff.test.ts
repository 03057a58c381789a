import { describe, expect, test } from 'vitest';
import {
  ConflictError,
  ConstraintError,
  DuplicateError,
  LockTimeoutError,
  OutcomeUnknownError,
  StatementTimeoutError,
  UnavailableError,
} from '../repository/errors.ts';
import { retrying } from './backoff.ts';

const backoff = { retries: 3, baseMs: 1, maxMs: 2 };

describe('work is tried again', () => {
  test.each([
    new ConflictError('deadlock'),
    new DuplicateError('a key'),
    new UnavailableError('no connection'),
    new OutcomeUnknownError('commit lost'),
  ])('after a $name, so many times and no more', async (error) => {
    let attempts = 0;
    const work = retrying(backoff, () => {
      attempts += 1;
      return Promise.reject(error);
    });
    await expect(work).rejects.toBe(error);
    expect(attempts).toBe(4);
  });

  test('until it succeeds', async () => {
    let attempts = 0;
    const work = retrying(backoff, () => {
      attempts += 1;
      return attempts < 3 ? Promise.reject(new ConflictError('deadlock')) : Promise.resolve('done');
    });
    expect(await work).toBe('done');
    expect(attempts).toBe(3);
  });
});

describe('work is not tried again', () => {
  test.each([
    new LockTimeoutError('stock'),
    new StatementTimeoutError('slow'),
    new ConstraintError('a bug'),
    new Error('another bug'),
  ])('after a $name: $message', async (error) => {
    let attempts = 0;
    const work = retrying(backoff, () => {
      attempts += 1;
      return Promise.reject(error);
    });
    await expect(work).rejects.toBe(error);
    expect(attempts).toBe(1);
  });
});
