import type { FeedItem, Reads } from '../repository/repository.ts';

/** Operations in one page: with what is on its way to it, all that is held in memory for a follower. */
const pageRows = 64;
/** Pages read at once, however many follow: the other connections are for requests. */
const readsAtOnceMax = 2;

/** A part of the feed, and up to where nothing is missing of it. */
export interface FeedPage {
  readonly items: readonly FeedItem[];
  readonly reached: number;
}

/**
 * Reads the feed for all who follow it on this replica. Those who are at the same place, as they are at its end, share
 * one read; and few reads are under way at once, so that followers who catch up take no connections from requests.
 */
export class FeedPages {
  readonly #reads: Pick<Reads, 'feed' | 'feedEnd'>;
  readonly #underWay = new Map<string, Promise<FeedPage>>();
  readonly #queue: (() => void)[] = [];
  #free = readsAtOnceMax;
  #lastEnd: Promise<number> | undefined;

  constructor(reads: Pick<Reads, 'feed' | 'feedEnd'>) {
    this.#reads = reads;
  }

  /** What comes after a position, no further than an end that was given. */
  async read(after: number, end: number): Promise<FeedPage> {
    const place = `${after}-${end}`;
    let page = this.#underWay.get(place);
    if (page === undefined) {
      page = this.#inTurn(async () => await this.#page(after, end)).finally(() => {
        this.#underWay.delete(place);
      });
      this.#underWay.set(place, page);
    }
    return await page;
  }

  /** What comes after a position now. */
  async readOn(after: number): Promise<FeedPage> {
    return await this.read(after, await this.#inTurn(async () => await this.#reads.feedEnd()));
  }

  /** The end as it is at the first call: to be asked when this replica makes no more operations. */
  async lastEnd(): Promise<number> {
    return await (this.#lastEnd ??= this.#reads.feedEnd());
  }

  async #page(after: number, end: number): Promise<FeedPage> {
    const items = await this.#reads.feed(after, pageRows, end);
    const last = items.at(-1);
    // Numbers that were given up leave gaps: a page that is not full has reached the end.
    return { items, reached: last !== undefined && items.length === pageRows ? last.position : end };
  }

  async #inTurn<Result>(read: () => Promise<Result>): Promise<Result> {
    if (this.#free > 0) this.#free -= 1;
    else
      await new Promise<void>((resolve) => {
        this.#queue.push(resolve);
      });
    try {
      return await read();
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}
