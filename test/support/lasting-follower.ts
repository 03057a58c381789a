import { setTimeout as sleep } from 'node:timers/promises';
import type { Balancer } from './clients.ts';
import { StreamFollower } from './stream-follower.ts';

const pauseMs = 50;

/**
 * Follows the feed from its beginning for as long as it is wanted: when its stream ends, however that came about, it goes
 * on with the last id that it saw, at whichever replica the balancer says.
 */
export class LastingFollower {
  /** The data of each event, as it came. */
  readonly seen: string[] = [];
  /** How many streams it took. */
  streams = 0;
  readonly #balancer: Balancer;
  readonly #following: Promise<void>;
  #stream: StreamFollower | undefined;
  #lastId: string | undefined;
  #closed = false;

  constructor(balancer: Balancer) {
    this.#balancer = balancer;
    this.#following = this.#follow();
  }

  /** How much it has seen, with what the stream that is open has brought. */
  get count(): number {
    return this.seen.length + (this.#stream?.events.length ?? 0);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stream?.close();
    await this.#following;
  }

  /** Asked again after each wait. */
  #isClosed(): boolean {
    return this.#closed;
  }

  async #follow(): Promise<void> {
    while (!this.#isClosed()) {
      const { origin } = await this.#balancer.pick();
      try {
        this.#stream = await StreamFollower.open(origin, { lastEventId: this.#lastId });
      } catch {
        // It has just been stopped or killed.
        await sleep(pauseMs);
        continue;
      }
      this.streams += 1;
      if (this.#isClosed()) this.#stream.close();
      await this.#stream.over;
      this.#lastId = this.#stream.lastEventId ?? this.#lastId;
      for (const { data } of this.#stream.events) this.seen.push(data);
      this.#stream = undefined;
    }
  }
}
