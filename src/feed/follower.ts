import { once } from 'node:events';
import type { FeedItem } from '../repository/repository.ts';
import type { FeedPages } from './feed-pages.ts';
import type { FeedTail } from './tail.ts';

export interface FollowerSettings {
  /** How long it may be quiet. */
  readonly heartbeatMs: number;
  /** How long the feed may not be readable before the follower is let go of. */
  readonly giveUpMs: number;
}

export interface FollowerDeps {
  readonly pages: FeedPages;
  readonly tail: Pick<FeedTail, 'beyond'>;
  readonly settings: FollowerSettings;
}

/** Wait before the feed is read again after it could not be. */
const readAgainMs = 500;

/**
 * Follows the feed from a position on: everything after it, once, in order. Reads a page only when the one before was
 * taken, so whoever is slow holds up nobody, and nothing gathers for it.
 */
export class Follower {
  readonly #pages: FeedPages;
  readonly #tail: Pick<FeedTail, 'beyond'>;
  readonly #settings: FollowerSettings;
  #reached: number;
  #first: readonly FeedItem[] = [];
  #waiting: AbortController | undefined;
  #finishing = false;
  #left = false;

  constructor(after: number, { pages, tail, settings }: FollowerDeps) {
    this.#reached = after;
    this.#pages = pages;
    this.#tail = tail;
    this.#settings = settings;
  }

  /** Reads the first page; throws what keeps it from being read. */
  async begin(): Promise<void> {
    const { items, reached } = await this.#pages.readOn(this.#reached);
    this.#first = items;
    // A cursor may be beyond the end of the feed: it waits there.
    this.#reached = Math.max(this.#reached, reached);
  }

  /** This replica makes no more operations: what there is now is still read, and then the pages end. */
  finish(): void {
    this.#finishing = true;
    this.#waiting?.abort();
  }

  /** Nobody takes the pages any more: they end at once. */
  leave(): void {
    this.#left = true;
    this.#waiting?.abort();
  }

  /**
   * What comes, page by page; an empty one each time that nothing came for `heartbeatMs`. Throws what has kept the feed
   * from being read for longer than `giveUpMs`.
   */
  async *pages(): AsyncGenerator<readonly FeedItem[], void, void> {
    const { heartbeatMs, giveUpMs } = this.#settings;
    if (this.#first.length > 0) yield this.#first;
    let readAtMs = performance.now();
    let quietUntilMs = readAtMs + heartbeatMs;
    while (!this.#left) {
      let items: readonly FeedItem[] = [];
      // Before it is asked where the feed ends: one that is told only then has the last end still before it.
      const finishing = this.#finishing;
      try {
        const end = finishing ? await this.#pages.lastEnd() : await this.#end(quietUntilMs);
        if (end > this.#reached) items = await this.#read(end);
        else if (finishing) return;
        readAtMs = performance.now();
      } catch (error) {
        if (finishing || performance.now() - readAtMs > giveUpMs) throw error;
        await this.#wait(Math.min(readAgainMs, quietUntilMs - performance.now()));
      }
      if (items.length === 0 && performance.now() < quietUntilMs) continue;
      yield items;
      readAtMs = performance.now();
      quietUntilMs = readAtMs + heartbeatMs;
    }
  }

  async #read(end: number): Promise<readonly FeedItem[]> {
    const { items, reached } = await this.#pages.read(this.#reached, end);
    this.#reached = reached;
    return items;
  }

  /** Where the feed ends, as soon as that is beyond what was read, or else when the time is up. */
  async #end(untilMs: number): Promise<number> {
    const reached = this.#reached;
    const beyond = await this.#wait(
      untilMs - performance.now(),
      async (signal) => await this.#tail.beyond(reached, signal),
    );
    return beyond ?? reached;
  }

  /** Waits for something, or just so long; until the time is up, or there is nothing more to wait for. */
  async #wait<Result>(
    ms: number,
    work: (signal: AbortSignal) => Promise<Result> = never,
  ): Promise<Result | undefined> {
    const waiting = new AbortController();
    this.#waiting = waiting;
    const timer = setTimeout(
      () => {
        waiting.abort();
      },
      Math.max(0, ms),
    );
    try {
      return await work(waiting.signal);
    } catch (error) {
      if (waiting.signal.aborted) return undefined;
      throw error;
    } finally {
      clearTimeout(timer);
      this.#waiting = undefined;
    }
  }
}

async function never(signal: AbortSignal): Promise<never> {
  await once(signal, 'abort');
  throw new Error('aborted');
}
