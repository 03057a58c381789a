const waitMsMax = 10_000;

/** Asks again and again until the answer is yes. What never comes to be fails the test, and says what it was. */
export async function until(
  what: string,
  ask: () => boolean | Promise<boolean>,
  timeoutMs = waitMsMax,
): Promise<void> {
  const endsAtMs = performance.now() + timeoutMs;
  while (!(await ask())) {
    if (performance.now() > endsAtMs) throw new Error(`it never came about that ${what}`);
    await new Promise(setImmediate);
  }
}
