import { onStopSignal } from '../src/lifecycle/signals.ts';

export interface Interruption {
  /** Aborts when we are to stop; its reason says why. */
  readonly signal: AbortSignal;
  /** Lets signals do again what they do by themselves. */
  readonly stopListening: () => void;
}

/**
 * Takes Ctrl-C, SIGTERM and the closing of the terminal for a request to stop, so that the servers we have started can
 * be stopped first: they are in process groups of their own, and no signal meant for us reaches them. A second Ctrl-C
 * ends us at once.
 */
export function listenForInterruption(): Interruption {
  const stopped = new AbortController();
  const onHangup = (): void => {
    stopped.abort(new Error('the terminal was closed'));
  };
  // What is written to a terminal that is gone fails, and would, unheard, end us before anything is stopped.
  const ignore = (): void => undefined;
  process.on('SIGHUP', onHangup);
  for (const stream of [process.stdout, process.stderr]) stream.on('error', ignore);
  const stopListening = onStopSignal({
    stop: (signal) => {
      stopped.abort(new Error(`stopped by ${signal}`));
    },
    force: () => process.exit(1),
  });
  return {
    signal: stopped.signal,
    stopListening: () => {
      stopListening();
      process.off('SIGHUP', onHangup);
      for (const stream of [process.stdout, process.stderr]) stream.off('error', ignore);
    },
  };
}
