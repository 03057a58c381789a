import { setTimeout as sleep } from 'node:timers/promises';

/**
 * A question to the database that many may ask at once: they share one, and its answer comes within a bounded time or is
 * null. So however often a replica is asked how it is, that takes one connection.
 */
export class SharedAnswer<Answer> {
  readonly #ask: () => Promise<Answer>;
  readonly #timeoutMs: number;
  #underWay: Promise<Answer | null> | undefined;

  constructor(ask: () => Promise<Answer>, { timeoutMs }: { timeoutMs: number }) {
    this.#ask = ask;
    this.#timeoutMs = timeoutMs;
  }

  async get(): Promise<Answer | null> {
    this.#underWay ??= this.#answer().finally(() => (this.#underWay = undefined));
    return await this.#underWay;
  }

  async #answer(): Promise<Answer | null> {
    const timer = new AbortController();
    const slow = sleep(this.#timeoutMs, null, { signal: timer.signal }).catch(() => null);
    try {
      return await Promise.race([this.#ask(), slow]);
    } catch {
      return null;
    } finally {
      timer.abort();
    }
  }
}
