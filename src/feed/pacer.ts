import { sleepUntil } from './sleep-until.ts';

export interface PieceOptions {
  /** For how long its kind of work has been behind: the longer, the shorter are the rests before and after it. */
  readonly lateMs: number;
  /** Nobody waits any more once it aborts. */
  readonly signal: AbortSignal;
}

/** A piece of background work that is under way. */
export interface Piece {
  /** It is done. Again, or after it gave way: nothing. */
  readonly end: () => void;
}

/**
 * Lets background work yield to the callers. It is done in pieces, one at a time on a replica, first come, first served:
 * a caller who comes meanwhile waits for one piece and not for several. After each all of it rests, for as long as the
 * piece took, times the square of the callers' operations under way, in units of `yieldAt`. Nobody there: no rest; a
 * few: hardly any, so it keeps up; as many as there can be: it falls behind, and catches up after it.
 */
export class Pacer {
  readonly #inFlight: () => number;
  readonly #yieldAt: number;
  /** Those who wait to begin. */
  readonly #waiting = new Set<PieceOptions>();
  /** Resolves when whoever comes next may begin. */
  #free: Promise<unknown> = Promise.resolve();

  /** `inFlight`: operations of callers, waiting or under way on this replica. `yieldAt` 0: never rest. */
  constructor(deps: { inFlight: () => number; yieldAt: number }) {
    this.#inFlight = deps.inFlight;
    this.#yieldAt = deps.yieldAt;
  }

  /**
   * Resolves when a piece may begin, which the caller is to end; at once, when the signal aborts. A piece that waits for
   * somebody else (a broker, an endpoint, a lock) gives way after a moment, and the next begins beside it.
   */
  async begin(options: PieceOptions): Promise<Piece> {
    const place = await this.#queue(options, options);
    return this.#start(place, options);
  }

  /** The same; undefined: it could not begin within this time. */
  async beginWithin(ms: number, options: PieceOptions): Promise<Piece | undefined> {
    const place = await this.#queue(options, { ...options, ms });
    if (place.hasTurn || options.signal.aborted) return this.#start(place, options);
    place.leave();
    return undefined;
  }

  async #queue(options: PieceOptions, wait: { ms?: number; signal: AbortSignal }): Promise<Place> {
    const before = this.#free;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.#free = before.then(async () => await promise);
    const place: Place = { hasTurn: false, leave: resolve };
    const turn = before.then(() => {
      place.hasTurn = true;
    });
    this.#waiting.add(options);
    await sleepUntil(turn, wait);
    this.#waiting.delete(options);
    return place;
  }

  #start(place: Place, { lateMs, signal }: PieceOptions): Piece {
    const beganMs = performance.now();
    let over = false;
    const end = (): void => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      const ms = this.#restMs(Math.min(pieceMsMax, performance.now() - beganMs), lateMs);
      place.leave(ms === 0 ? undefined : sleepUntil(null, { ms, signal }));
    };
    const timer = setTimeout(end, pieceMsMax);
    return { end };
  }

  #restMs(workedMs: number, lateMs: number): number {
    if (this.#yieldAt === 0) return 0;
    const latestMs = Math.max(lateMs, ...[...this.#waiting].map((waiting) => waiting.lateMs));
    const hurry = Math.min(hurryMax, 1 + latestMs / hurryMs);
    return workedMs * Math.min(shareMax, (this.#inFlight() / this.#yieldAt / hurry) ** 2);
  }
}

/** Of those who wait to begin. */
interface Place {
  hasTurn: boolean;
  /** Lets the next one begin, at once or after a rest. */
  readonly leave: (rest?: Promise<void>) => void;
}

/** After so long a piece gives way. */
const pieceMsMax = 15;
/** However much the callers do, a little is done: a rest takes at most so many times as long as the piece before it. */
const shareMax = 16;
/** Who is behind for so long bears twice as many callers, and in time up to so many times as many. */
const hurryMs = 1000;
const hurryMax = 3;
