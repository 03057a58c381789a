import { setTimeout as sleep } from 'node:timers/promises';

/** One thing to wait for on the way down. */
export interface ShutdownStep {
  readonly name: string;
  /** Resolves when it is done. `timeLeftMs` is what is left of the whole stop. */
  readonly run: (timeLeftMs: number) => Promise<void>;
  /** What it still waits for, for the log, when the time is up. */
  readonly waitingFor?: () => string;
}

export interface ShutdownLog {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * Takes the steps one after another, within one time for all of them, and answers whether each was completed. A step
 * that fails or runs out of time is logged with what it waited for; the steps after it are taken all the same.
 */
export async function shutDown(
  steps: readonly ShutdownStep[],
  { timeoutMs, log }: { timeoutMs: number; log: ShutdownLog },
): Promise<boolean> {
  const end = performance.now() + timeoutMs;
  let completed = true;
  for (const step of steps) {
    const beganMs = performance.now();
    const error = await taken(step, Math.max(0, end - beganMs));
    const fields = { step: step.name, ms: Math.round(performance.now() - beganMs) };
    if (error === undefined) {
      log.info(fields, 'shutdown step completed');
    } else {
      completed = false;
      log.error({ ...fields, err: error, waitingFor: step.waitingFor?.() }, 'shutdown step not completed');
    }
  }
  return completed;
}

async function taken(step: ShutdownStep, timeLeftMs: number): Promise<unknown> {
  const timer = new AbortController();
  const timeout = sleep(timeLeftMs, new Error(`no time left after ${Math.round(timeLeftMs)} ms`), {
    signal: timer.signal,
  });
  try {
    const late = await Promise.race([step.run(timeLeftMs), timeout.catch(() => undefined)]);
    return late;
  } catch (error) {
    return error;
  } finally {
    timer.abort();
  }
}
