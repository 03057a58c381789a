import { DatabaseError } from 'pg';
import {
  ConflictError,
  ConstraintError,
  DuplicateError,
  LockTimeoutError,
  RepositoryError,
  StatementTimeoutError,
  UnavailableError,
} from '../errors.ts';

/** Does this work on the database; what goes wrong is told by the errors of `../errors.ts`. */
export async function translated<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw translateError(error);
  }
}

/**
 * Says what a failure of `pg` means for the transaction, by its SQLSTATE (PostgreSQL manual, appendix A). Anything
 * that is not an answer of the server is a lost connection. `rows` names what the statement was locking.
 */
export function translateError(error: unknown, rows: LockTimeoutError['rows'] = 'other'): RepositoryError {
  if (error instanceof RepositoryError) return error;
  const cause = { cause: error };
  if (!(error instanceof DatabaseError))
    return new UnavailableError('the connection to the database was lost', cause);
  switch (error.code) {
    case '55P03':
      return new LockTimeoutError(rows, cause);
    case '40001':
    case '40P01':
      return new ConflictError(error.message, cause);
    case '23505':
      return new DuplicateError(error.message, cause);
    case '57014':
      return new StatementTimeoutError(error.message, cause);
    default:
      return translateClass(error, cause);
  }
}

/**
 * True where the server has ended the connection with this error, so that the client must not be used again. A server
 * that speaks another language than English is always taken to have ended it.
 */
export function endsConnection(error: unknown): boolean {
  return !(error instanceof DatabaseError) || error.severity !== 'ERROR';
}

function translateClass(error: DatabaseError, cause: ErrorOptions): RepositoryError {
  switch (error.code?.slice(0, 2)) {
    case '22': // data exception: out of range
    case '23': // integrity constraint violation
      return new ConstraintError(error.message, cause);
    case '08': // connection exception
    case '53': // insufficient resources: connections, memory, disk
    case '57': // operator intervention: shutting down, starting up, connection closed
    case '58': // system error: I/O
      return new UnavailableError(error.message, cause);
    default:
      // 25P03: it was cut off for idling in a transaction; 25006: it became a read-only standby.
      if (error.code === '25P03' || error.code === '25006') return new UnavailableError(error.message, cause);
      return new RepositoryError(error.message, cause);
  }
}
