/** The longest that a timer can be set for: 24 days. */
const msMax = 2 ** 31 - 1;

/**
 * Resolves when the promise does, after a time, or when the signal aborts: whichever is first. Leaves no timer behind. Made
 * of a timer alone: with an `AbortController` it would cost ten times as much, most of it for the error that an abort makes.
 */
export async function sleepUntil(
  promise: Promise<unknown> | null,
  { ms = msMax, signal }: { ms?: number; signal: AbortSignal },
): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve, reject) => {
    const awake = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', awake);
      resolve();
    };
    const timer = setTimeout(awake, Math.max(0, ms));
    signal.addEventListener('abort', awake);
    promise?.then(awake, (error: unknown) => {
      reject(error instanceof Error ? error : new Error('what was waited for has failed', { cause: error }));
      awake();
    });
  });
}
