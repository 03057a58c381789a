import { expect, test } from 'vitest';
import {
  ConflictError,
  ConstraintError,
  DuplicateError,
  LockTimeoutError,
  OutcomeUnknownError,
  RepositoryError,
  StatementTimeoutError,
  UnavailableError,
} from '../repository/errors.ts';
import { ExecutionFailure, failureCodeOf } from './failure.ts';

test.each<[unknown, string]>([
  [new LockTimeoutError('accounts'), 'busy'],
  [new StatementTimeoutError('slow'), 'busy'],
  [new ConflictError('deadlock'), 'busy'],
  [new UnavailableError('no connection'), 'database_unavailable'],
  [new OutcomeUnknownError('resolved since: nothing was kept'), 'database_unavailable'],
  [new ConstraintError('a bug'), 'internal_error'],
  [new DuplicateError('a bug, if it lasts'), 'internal_error'],
  [new RepositoryError('anything else'), 'internal_error'],
  [new TypeError('a bug'), 'internal_error'],
  ['thrown, and no error at all', 'internal_error'],
])('%s is told as %s', (error, code) => {
  expect(failureCodeOf(error)).toBe(code);
});

test('it keeps its cause for the log, where there is one', () => {
  const cause = new Error('why');
  expect(new ExecutionFailure('busy', { cause })).toMatchObject({ message: 'busy', code: 'busy', cause });
  expect('cause' in new ExecutionFailure('overloaded')).toBe(false);
});
