import { setTimeout as sleep } from 'node:timers/promises';

/** How long a check waits for the database's answer. */
const pingTimeoutMs = 1000;

export interface DatabaseCheck {
  /** Null: the database answers. */
  readonly trouble: string | null;
  readonly latencyMs: number;
}

/**
 * Finds out whether the database answers, within a second. Those who ask at the same time share one question, so
 * however often a replica is probed, its probes take one connection of those for reads.
 */
export class DatabaseProbe {
  readonly #database: { ping(): Promise<void> };
  #underWay: Promise<DatabaseCheck> | undefined;

  constructor(database: { ping(): Promise<void> }) {
    this.#database = database;
  }

  async check(): Promise<DatabaseCheck> {
    this.#underWay ??= this.#ask().finally(() => (this.#underWay = undefined));
    return await this.#underWay;
  }

  async #ask(): Promise<DatabaseCheck> {
    const beganMs = performance.now();
    const trouble = await this.#trouble();
    return { trouble, latencyMs: performance.now() - beganMs };
  }

  async #trouble(): Promise<string | null> {
    const timer = new AbortController();
    const slow = sleep(pingTimeoutMs, 'the database does not answer', { signal: timer.signal }).catch(
      () => null,
    );
    try {
      return await Promise.race([this.#database.ping().then(() => null), slow]);
    } catch {
      return 'the database can’t be reached';
    } finally {
      timer.abort();
    }
  }
}
