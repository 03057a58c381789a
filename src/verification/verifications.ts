import { randomUUID } from 'node:crypto';
import type {
  VerificationRecord,
  VerificationRecords,
  VerificationsQuery,
} from '../repository/verifications.ts';
import type { Verifier } from './verifier.ts';

/** What became of a request to verify: it was done, or it was not and nothing is kept of it. */
export type VerificationOutcome =
  | { readonly kind: 'done'; readonly record: VerificationRecord }
  /** Another one runs in this process. Its result would not cover what was written since it began. */
  | { readonly kind: 'busy' }
  /** This process is stopping. */
  | { readonly kind: 'stopping' }
  /** Whoever asked has gone. */
  | { readonly kind: 'abandoned' };

/** Verifications that somebody asks for: one at a time in this process, each kept when it is complete. */
export class Verifications {
  readonly #verifier: Verifier;
  readonly #records: VerificationRecords;
  readonly #stop = new AbortController();
  #running = false;

  constructor(deps: { verifier: Verifier; records: VerificationRecords }) {
    this.#verifier = deps.verifier;
    this.#records = deps.records;
  }

  /** Verifies the ledger; `gone` aborts when nobody waits for the answer any more. */
  async run(actor: string, gone: AbortSignal): Promise<VerificationOutcome> {
    if (this.#isStopping()) return { kind: 'stopping' };
    if (this.#running) return { kind: 'busy' };
    this.#running = true;
    try {
      const signal = AbortSignal.any([gone, this.#stop.signal]);
      const record = { id: randomUUID(), actor, ...(await this.#verifier.verify({ signal })) };
      await this.#records.save(record);
      return { kind: 'done', record };
    } catch (error) {
      if (this.#isStopping()) return { kind: 'stopping' };
      if (gone.aborted) return { kind: 'abandoned' };
      throw error;
    } finally {
      this.#running = false;
    }
  }

  async find(id: string): Promise<VerificationRecord | undefined> {
    return await this.#records.find(id);
  }

  async list(query: VerificationsQuery): Promise<readonly VerificationRecord[]> {
    return await this.#records.list(query);
  }

  /** Ends the verification under way, which comes to its end at once, and refuses all others. May be called twice. */
  stop(): void {
    this.#stop.abort();
  }

  #isStopping(): boolean {
    return this.#stop.signal.aborted;
  }
}
