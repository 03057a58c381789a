/**
 * Asks again and again whether someone is still let in, for an answer that has no end: a key that was revoked, or a token
 * that has expired, is noticed within `everyMs`. While it can't be found out, it holds for `giveUpMs`.
 */
export class StandingAdmission {
  readonly #isAdmitted: () => Promise<boolean>;
  readonly #everyMs: number;
  readonly #giveUpMs: number;
  #askedAtMs = performance.now();
  #knownAtMs = performance.now();

  /** `isAdmitted` throws where it can't be found out. */
  constructor(deps: { isAdmitted: () => Promise<boolean>; everyMs: number; giveUpMs: number }) {
    this.#isAdmitted = deps.isAdmitted;
    this.#everyMs = deps.everyMs;
    this.#giveUpMs = deps.giveUpMs;
  }

  /** To be asked at least twice in each `everyMs`; asks the other side no more often than that. */
  async holds(): Promise<boolean> {
    const nowMs = performance.now();
    if (nowMs - this.#askedAtMs < this.#everyMs / 2) return true;
    this.#askedAtMs = nowMs;
    try {
      const admitted = await this.#isAdmitted();
      this.#knownAtMs = nowMs;
      return admitted;
    } catch {
      return nowMs - this.#knownAtMs < this.#giveUpMs;
    }
  }
}
