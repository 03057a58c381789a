import { setTimeout as delay } from 'node:timers/promises';

/** How long to pause between two looks at something that cannot notify us. */
const pauseMs = 20;

/** A moment after which waiting stops. It runs on the monotonic clock: setting the time moves nothing. */
export class Deadline {
  readonly #endsAtMs: number;

  constructor(msMax: number) {
    this.#endsAtMs = performance.now() + msMax;
  }

  get expired(): boolean {
    return performance.now() >= this.#endsAtMs;
  }

  /** Waits one polling interval. */
  async pause(): Promise<void> {
    await delay(pauseMs);
  }
}

/** Resolves with true as soon as the condition holds, and with false when it did not within `msMax`. */
export async function waitUntil(condition: () => Promise<boolean>, msMax: number): Promise<boolean> {
  const deadline = new Deadline(msMax);
  for (;;) {
    if (await condition()) return true;
    if (deadline.expired) return false;
    await deadline.pause();
  }
}
