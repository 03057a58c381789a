import type { ExecutionFailure } from './failure.ts';
import type { Outcome, OperationRequest } from './request.ts';

/** A request on its way through the executor, and the caller who waits for it. */
export interface Pending {
  readonly request: OperationRequest;
  /** The same in each attempt: a record with this id is this very request's. */
  readonly operationId: string;
  /** The caller's, or the operation's id. */
  readonly idempotencyKey: string;
  /** A commit that held it was sent, and nobody knows what became of it. */
  outcomeUnknown: boolean;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (failure: ExecutionFailure) => void;
}
