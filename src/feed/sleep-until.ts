import { setTimeout as sleep } from 'node:timers/promises';

/** The longest that a timer can be set for: 24 days. */
const msMax = 2 ** 31 - 1;

/** Resolves when the promise does, after a time, or when the signal aborts: whichever is first. Leaves no timer behind. */
export async function sleepUntil(
  promise: Promise<unknown> | null,
  { ms = msMax, signal }: { ms?: number; signal: AbortSignal },
): Promise<void> {
  if (signal.aborted) return;
  const awake = new AbortController();
  const wake = (): void => {
    awake.abort();
  };
  signal.addEventListener('abort', wake, { once: true });
  const timer = sleep(Math.max(0, ms), undefined, { signal: awake.signal }).catch(() => undefined);
  try {
    await Promise.race(promise === null ? [timer] : [timer, promise]);
  } finally {
    signal.removeEventListener('abort', wake);
    wake();
  }
}
