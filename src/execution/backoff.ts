import { setTimeout as sleep } from 'node:timers/promises';
import {
  ConflictError,
  DuplicateError,
  OutcomeUnknownError,
  UnavailableError,
} from '../repository/errors.ts';

export interface BackoffSettings {
  /** How many times something is tried again. */
  readonly retries: number;
  readonly baseMs: number;
  readonly maxMs: number;
}

/**
 * Runs work again while what fails may pass, and throws the error that outlasts the retries. The work must be safe to
 * repeat also when its last outcome is unknown.
 */
export async function retrying<Result>(
  backoff: BackoffSettings,
  work: () => Promise<Result>,
): Promise<Result> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!mayPass(error) || attempt === backoff.retries) throw error;
      await backOff(attempt, backoff);
    }
  }
}

/** Failures that say nothing about the work itself: neighbours, the connection, a commit whose answer was lost. */
function mayPass(error: unknown): boolean {
  return (
    error instanceof ConflictError ||
    error instanceof DuplicateError ||
    error instanceof UnavailableError ||
    error instanceof OutcomeUnknownError
  );
}

/**
 * Waits before the next attempt: a random time up to a bound that doubles with each attempt ("full jitter"), so that
 * those who collided don't collide again.
 */
async function backOff(attempt: number, { baseMs, maxMs }: BackoffSettings): Promise<void> {
  await sleep(Math.random() * Math.min(maxMs, baseMs * 2 ** attempt));
}
