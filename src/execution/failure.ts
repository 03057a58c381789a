import {
  ConflictError,
  LockTimeoutError,
  OutcomeUnknownError,
  StatementTimeoutError,
  UnavailableError,
} from '../repository/errors.ts';

export type FailureCode =
  'busy' | 'overloaded' | 'shutting_down' | 'database_unavailable' | 'outcome_unknown' | 'internal_error';

/** An operation that could not be carried out. Nothing was changed, except that `outcome_unknown` can't tell. */
export class ExecutionFailure extends Error {
  override name = 'ExecutionFailure';
  readonly code: FailureCode;
  /** With `outcome_unknown`: the key under which the same request tells the outcome. */
  readonly idempotencyKey: string | undefined;

  constructor(code: FailureCode, options: { cause?: unknown; idempotencyKey?: string } = {}) {
    super(code, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.idempotencyKey = options.idempotencyKey;
  }
}

/** What a caller is told of a failure that has outlasted its retries and of which it is known that nothing was kept. */
export function failureCodeOf(error: unknown): FailureCode {
  if (
    error instanceof LockTimeoutError ||
    error instanceof StatementTimeoutError ||
    error instanceof ConflictError
  )
    return 'busy';
  if (error instanceof UnavailableError || error instanceof OutcomeUnknownError)
    return 'database_unavailable';
  return 'internal_error';
}
