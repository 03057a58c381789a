import { sleepUntil } from './sleep-until.ts';

/**
 * Where the feed ends, for all who follow it on this replica: one poll for everyone, and none while nobody waits. This
 * replica's own commits are seen at once, those of others at the next poll.
 */
export class FeedTail {
  readonly #readEnd: () => Promise<number>;
  readonly #pollMs: number;
  readonly #waiting = new Set<Waiting>();
  #end = 0;
  #wake = Promise.withResolvers<undefined>();

  constructor(deps: { readEnd: () => Promise<number>; pollMs: number }) {
    this.#readEnd = deps.readEnd;
    this.#pollMs = deps.pollMs;
  }

  /** Up to where it could be read when it was last looked at. */
  get end(): number {
    return this.#end;
  }

  /** This replica has committed something. */
  committed(): void {
    if (this.#waiting.size > 0) this.#wake.resolve(undefined);
  }

  /** Resolves with the end as soon as it is beyond this position; rejects when the signal aborts. */
  async beyond(position: number, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    if (this.#end > position) return this.#end;
    return await new Promise<number>((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.delete(waiting);
        reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
      };
      const waiting: Waiting = {
        position,
        resolve: (end) => {
          signal.removeEventListener('abort', onAbort);
          resolve(end);
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(waiting);
      this.#wake.resolve(undefined);
    });
  }

  /** Resolves when the end is beyond this position, after a time, or when the signal aborts: whichever is first. */
  async beyondWithin(position: number, { ms, signal }: { ms: number; signal: AbortSignal }): Promise<void> {
    const over = new AbortController();
    const grown = this.beyond(position, over.signal).catch(() => undefined);
    await sleepUntil(grown, { ms, signal });
    over.abort();
  }

  /** Looks, until the signal aborts. What can't be read now is looked at again at the next poll. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { promise } = (this.#wake = Promise.withResolvers<undefined>());
      if (this.#waiting.size === 0) {
        await sleepUntil(promise, { signal });
        continue;
      }
      await this.#look();
      // However much is committed here, the database is asked at a bounded rate.
      await sleepUntil(null, { ms: betweenPollsMsMin, signal });
      await sleepUntil(promise, { ms: this.#pollMs - betweenPollsMsMin, signal });
    }
  }

  async #look(): Promise<void> {
    try {
      this.#end = Math.max(this.#end, await this.#readEnd());
    } catch {
      // Whoever waits goes on waiting: a database that is away is told of by those who read from it.
      return;
    }
    for (const waiting of this.#waiting) {
      if (waiting.position >= this.#end) continue;
      this.#waiting.delete(waiting);
      waiting.resolve(this.#end);
    }
  }
}

interface Waiting {
  readonly position: number;
  readonly resolve: (end: number) => void;
}

const betweenPollsMsMin = 20;
