import { setTimeout as sleep } from 'node:timers/promises';
import type { JobOwners, OwnerSession } from '../repository/jobs.ts';
import type { JobLog } from './job-log.ts';

export interface PresenceTimes {
  /** How often it proves to be alive, and looks who is not. */
  readonly lookEveryMs: number;
  /** For so long someone must have been seen without a session to count as dead: the living reconnect sooner. */
  readonly missingMs: number;
  /** Without proof for so long, it gives up what it runs: shorter than it takes others to find it dead. */
  readonly surrenderMs: number;
}

/**
 * After a kill its session is gone at once, and after the loss of a machine within five seconds: its jobs are run again
 * some five and ten seconds later.
 */
export const presenceTimes: PresenceTimes = { lookEveryMs: 1000, missingMs: 4000, surrenderMs: 4000 };

/**
 * Keeps one owner of jobs alive for the others, and puts back the jobs of those who are dead. Whoever is alive never
 * loses a job: neither for being slow, nor for a connection that breaks, unless it can't get another one for longer than
 * `surrenderMs`; then its own jobs have been told to end before others take them.
 */
export class Presence {
  readonly #owner: string;
  readonly #owners: JobOwners;
  readonly #log: JobLog;
  readonly #times: PresenceTimes;
  readonly #entered = Promise.withResolvers<undefined>();
  /** Since when each has been seen without a session, all the time. */
  readonly #missingSinceMs = new Map<string, number>();
  #surrender = new AbortController();
  #lost = false;
  #provenMs: number | undefined;
  #deadline: NodeJS.Timeout | undefined;

  constructor(deps: { owner: string; owners: JobOwners; log: JobLog; times: PresenceTimes }) {
    this.#owner = deps.owner;
    this.#owners = deps.owners;
    this.#log = deps.log;
    this.#times = deps.times;
  }

  /** Resolves when it is alive for others, or is to end before it ever was: jobs must not be taken earlier. */
  get entered(): Promise<unknown> {
    return this.#entered.promise;
  }

  /** Aborts when what is begun now has to be given up. */
  get surrendered(): AbortSignal {
    return this.#surrender.signal;
  }

  /** Runs until `ended` aborts. Whatever goes wrong with the database is waited out. */
  async run(ended: AbortSignal): Promise<void> {
    try {
      while (!ended.aborted) {
        await this.#session(ended);
        await pause(this.#times.lookEveryMs / 4, ended);
      }
    } finally {
      clearTimeout(this.#deadline);
      this.#entered.resolve(undefined);
    }
  }

  async #session(ended: AbortSignal): Promise<void> {
    let session: OwnerSession | undefined;
    try {
      session = await this.#owners.enter(this.#owner, this.#times.surrenderMs / 2);
      // The one before was lost, perhaps while this process stood still: others may have found it dead.
      if (performance.now() - (this.#provenMs ?? Infinity) > this.#times.surrenderMs) this.#giveUp();
      this.#proven();
      this.#entered.resolve(undefined);
      while (!ended.aborted) {
        await this.#look(session);
        this.#proven();
        await pause(this.#times.lookEveryMs, ended);
      }
    } catch (error) {
      // While nobody can be seen, nobody can be seen to be missing either.
      this.#missingSinceMs.clear();
      this.#tellOfLoss(error);
    } finally {
      session?.end();
    }
  }

  async #look(session: OwnerSession): Promise<void> {
    const missing = new Set(await session.missing());
    const nowMs = performance.now();
    for (const owner of this.#missingSinceMs.keys())
      if (!missing.has(owner)) this.#missingSinceMs.delete(owner);
    for (const owner of missing) if (!this.#missingSinceMs.has(owner)) this.#missingSinceMs.set(owner, nowMs);
    const dead = [...missing].filter(
      (owner) => nowMs - (this.#missingSinceMs.get(owner) ?? nowMs) >= this.#times.missingMs,
    );
    if (dead.length === 0) return;
    for (const { id, name, owner, failed } of await session.release(dead)) {
      const fields = { job: name, jobId: id, owner };
      if (failed) this.#log.error(fields, 'a job is given up: its replica died at the last attempt');
      else this.#log.warn(fields, 'a job is run again: its replica died');
    }
  }

  /** Once for each outage: another session is tried for several times a second. */
  #tellOfLoss(error: unknown): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#log.warn(
      { err: error, owner: this.#owner },
      'the session that keeps jobs was lost: opening another',
    );
  }

  #proven(): void {
    this.#lost = false;
    if (this.#surrender.signal.aborted) this.#surrender = new AbortController();
    this.#provenMs = performance.now();
    clearTimeout(this.#deadline);
    const half = this.#times.surrenderMs / 2;
    // In two halves: a process that stood still finds the first one over, and has the second to prove itself.
    this.#deadline = setTimeout(() => {
      this.#deadline = setTimeout(() => {
        this.#giveUp();
      }, half);
    }, half);
  }

  #giveUp(): void {
    if (this.#surrender.signal.aborted) return;
    this.#log.error({ owner: this.#owner }, 'jobs under way are given up: the database was out of reach');
    this.#surrender.abort();
  }
}

async function pause(ms: number, ended: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: ended }).catch(() => undefined);
}
