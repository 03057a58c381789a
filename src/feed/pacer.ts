/**
 * Lets background work yield to the callers: who has worked for a while rests for as long again, times the square of the
 * operations that are under way for callers, in units of `yieldAt`. Nobody there: no rest; a few: hardly any, so it keeps
 * up and its turns stay small; as many as there can be: it falls behind, and catches up after it.
 */
export class Pacer {
  readonly #inFlight: () => number;
  readonly #yieldAt: number;

  /** `inFlight`: operations of callers, waiting or under way on this replica. `yieldAt` 0: never rest. */
  constructor(deps: { inFlight: () => number; yieldAt: number }) {
    this.#inFlight = deps.inFlight;
    this.#yieldAt = deps.yieldAt;
  }

  /** How long to rest after so much work. */
  restMs(workedMs: number): number {
    if (this.#yieldAt === 0) return 0;
    return Math.min(restMsMax, workedMs * Math.min(shareMax, (this.#inFlight() / this.#yieldAt) ** 2));
  }
}

/** However much the callers do, a little is done: a rest takes at most so many times as long as the work before it. */
const shareMax = 16;
const restMsMax = 250;
