import { DatabaseError } from 'pg';
import { describe, expect, test } from 'vitest';
import { ConflictError } from '../errors.ts';
import { endsConnection, translateError } from './errors.ts';

function answer(code: string, severity = 'ERROR'): DatabaseError {
  const error = new DatabaseError(`SQLSTATE ${code}`, 0, 'error');
  return Object.assign(error, { code, severity });
}

describe('what an SQLSTATE means for the transaction', () => {
  test.each([
    ['55P03', 'LockTimeoutError'],
    ['40001', 'ConflictError'],
    ['40P01', 'ConflictError'],
    ['23505', 'DuplicateError'],
    ['23514', 'ConstraintError'],
    ['23502', 'ConstraintError'],
    ['22003', 'ConstraintError'],
    ['22P02', 'ConstraintError'],
    ['57014', 'StatementTimeoutError'],
    ['57P01', 'UnavailableError'],
    ['57P03', 'UnavailableError'],
    ['53300', 'UnavailableError'],
    ['58030', 'UnavailableError'],
    ['08006', 'UnavailableError'],
    ['25P03', 'UnavailableError'],
    ['25006', 'UnavailableError'],
    ['25P02', 'RepositoryError'],
    ['42P01', 'RepositoryError'],
    ['XX000', 'RepositoryError'],
  ])('%s: %s', (code, name) => {
    const cause = answer(code);
    expect(translateError(cause)).toMatchObject({ name, cause });
  });

  test('a lock timeout says on what', () => {
    expect(translateError(answer('55P03'), 'stock')).toMatchObject({ rows: 'stock' });
    expect(translateError(answer('55P03'))).toMatchObject({ rows: 'other' });
  });

  test('what is no answer of the server is a lost connection', () => {
    const cause = new Error('read ECONNRESET');
    expect(translateError(cause)).toMatchObject({ name: 'UnavailableError', cause });
  });

  test('what is translated already stays as it is', () => {
    const error = new ConflictError('deadlock detected');
    expect(translateError(error)).toBe(error);
  });
});

test('only an error that the server calls one leaves the connection fit for use', () => {
  expect(endsConnection(answer('23514'))).toBe(false);
  expect(endsConnection(answer('57P01', 'FATAL'))).toBe(true);
  expect(endsConnection(answer('57P02', 'PANIC'))).toBe(true);
  expect(endsConnection(new Error('read ECONNRESET'))).toBe(true);
  // In Russian: the word for FATAL comes in the server's language, and the driver does not pass on the other field.
  expect(endsConnection(answer('57P01', 'ВАЖНО'))).toBe(true);
});
