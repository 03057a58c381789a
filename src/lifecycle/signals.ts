/**
 * A terminal sends Ctrl-C to every process of the group, and npm passes the same one on: signals this close together
 * are one.
 */
const sameSignalMs = 500;

/**
 * Runs `stop` at the first SIGTERM or SIGINT, and `force` at a second one that is not an echo of the first. Returns a
 * function that stops listening.
 */
export function onStopSignal({
  stop,
  force,
}: {
  stop: (signal: NodeJS.Signals) => void;
  force: () => void;
}): () => void {
  let firstMs: number | undefined;
  const listener = (signal: NodeJS.Signals): void => {
    const nowMs = performance.now();
    if (firstMs === undefined) {
      firstMs = nowMs;
      stop(signal);
    } else if (nowMs - firstMs > sameSignalMs) {
      force();
    }
  };
  process.on('SIGTERM', listener);
  process.on('SIGINT', listener);
  return () => {
    process.off('SIGTERM', listener);
    process.off('SIGINT', listener);
  };
}
