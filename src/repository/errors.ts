/** A transaction or read that failed for a reason that its caller can act on. The cause is for the log. */
export class RepositoryError extends Error {
  override name = 'RepositoryError';
}

/** A row stayed locked by someone else for longer than the caller would wait. Nothing was kept. */
export class LockTimeoutError extends RepositoryError {
  override name = 'LockTimeoutError';
  readonly rows: 'accounts' | 'stock' | 'other';

  constructor(rows: 'accounts' | 'stock' | 'other', options?: ErrorOptions) {
    super(`waiting for a lock on ${rows} took too long`, options);
    this.rows = rows;
  }
}

/** The database gave the transaction up for a reason that lies in its neighbours: deadlock, serialization. Nothing was kept. */
export class ConflictError extends RepositoryError {
  override name = 'ConflictError';
}

/** A row that must be unique was already there. Nothing was kept. */
export class DuplicateError extends RepositoryError {
  override name = 'DuplicateError';
}

/** A constraint stood in for a check that the domain should have made: a bug. Nothing was kept. */
export class ConstraintError extends RepositoryError {
  override name = 'ConstraintError';
}

/** A statement ran longer than it may. Nothing was kept. */
export class StatementTimeoutError extends RepositoryError {
  override name = 'StatementTimeoutError';
}

/** The database can't be reached, or the connection was lost before anything could have been kept. */
export class UnavailableError extends RepositoryError {
  override name = 'UnavailableError';
}

/** The commit was sent and its answer was lost, or did not say whether it is safe: it may or may not have been kept. */
export class OutcomeUnknownError extends RepositoryError {
  override name = 'OutcomeUnknownError';
}
