import type { JsonObject } from '../domain/json.ts';
import type { Rejection } from '../domain/rejection.ts';
import { ExecutionFailure, failureCodeOf } from '../execution/failure.ts';
import { OutcomeUnknownError } from '../repository/errors.ts';
import { errorCodes, type ErrorCode, type ErrorCodeName } from './error-codes.ts';

/** An answer that is an error of the contract. Thrown by routes and hooks; the error boundary sends it. */
export class Problem extends Error {
  override name = 'Problem';
  readonly code: ErrorCodeName;
  /** For people; the contract shows it to callers, so it never carries what went wrong inside. */
  readonly detail: string;
  readonly members: JsonObject;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: ErrorCodeName,
    options: {
      detail?: string;
      members?: JsonObject;
      headers?: Record<string, string>;
      cause?: unknown;
    } = {},
  ) {
    super(code, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.detail = options.detail ?? errorCodes[code].meaning;
    this.members = options.members ?? {};
    this.headers = options.headers ?? {};
  }

  static rejected({ code, detail, members }: Rejection): Problem {
    if (code === 'reward_not_earned') throw new Error('a reward was asked for over HTTP');
    return new Problem(code, { detail, members });
  }

  /** What a caller is told of any error. One that is not expected here is an `internal_error`, and says no more. */
  static of(error: unknown): Problem {
    if (error instanceof Problem) return error;
    if (error instanceof ExecutionFailure) {
      const members = error.idempotencyKey === undefined ? {} : { idempotencyKey: error.idempotencyKey };
      return new Problem(error.code, { members, cause: error.cause });
    }
    if (error instanceof OutcomeUnknownError) return new Problem('outcome_unknown', { cause: error });
    return new Problem(failureCodeOf(error), { cause: error });
  }

  get status(): number {
    return errorCodes[this.code].status;
  }

  /** The body, as RFC 9457 has it: `instance` is the path of the request. */
  body(instance: string, requestId: string): JsonObject {
    const { status, title, retryable }: ErrorCode = errorCodes[this.code];
    const { code, detail, members } = this;
    return {
      type: `/docs/errors#${code}`,
      title,
      status,
      code,
      detail,
      instance,
      requestId,
      retryable,
      ...members,
    };
  }
}

/** One fault of a request: `path` is a JSON pointer into the part of it that `in` names. */
export interface Fault {
  readonly path: string;
  readonly message: string;
  readonly in?: 'body' | 'path' | 'query' | 'header';
}

export function invalidRequest(detail: string, errors: readonly Fault[]): Problem {
  return new Problem('invalid_request', {
    detail,
    members: { errors: errors.map((fault) => ({ ...fault })) },
  });
}

/** A name as a reference token of a JSON pointer (RFC 6901). */
export function pointerToken(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
