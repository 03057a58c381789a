export interface RestartBackoffSettings {
  readonly baseMs: number;
  readonly maxMs: number;
}

/**
 * When a process that ended may be started again: at once if it had lived for longer than the longest wait, otherwise
 * after a wait that doubles with each in a row. So there is never more than one start for each wait, however it fails.
 */
export class RestartBackoff {
  readonly #settings: RestartBackoffSettings;
  #failures = 0;
  #notBeforeMs = 0;

  constructor(settings: RestartBackoffSettings) {
    this.#settings = settings;
  }

  /** Notes an end at `nowMs`, and gives the wait that follows from it. `livedMs` is 0 for one that never served. */
  ended({ livedMs, nowMs }: { livedMs: number; nowMs: number }): number {
    const { baseMs, maxMs } = this.#settings;
    this.#failures = livedMs > maxMs ? 0 : this.#failures + 1;
    const waitMs = this.#failures === 0 ? 0 : Math.min(maxMs, baseMs * 2 ** (this.#failures - 1));
    this.#notBeforeMs = nowMs + waitMs;
    return waitMs;
  }

  waitMs(nowMs: number): number {
    return Math.max(0, this.#notBeforeMs - nowMs);
  }

  /** What failed has been changed: it may be tried at once. */
  reset(): void {
    this.#failures = 0;
    this.#notBeforeMs = 0;
  }
}
