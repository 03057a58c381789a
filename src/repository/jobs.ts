import type { JsonObject } from '../domain/json.ts';

/** Work that any replica may do, some time after the transaction that asks for it is kept. */
export interface JobRequest {
  /** Which job runs it. */
  readonly name: string;
  readonly payload: JsonObject;
  /**
   * Of the jobs in one queue only one runs at a time, on whatever replica. Up to 128 characters, and few different ones:
   * each is a row.
   */
  readonly queue?: string | undefined;
  /** Not before; default: at once. By the database's clock. */
  readonly runAtMs?: number | undefined;
  /**
   * Takes the place of a job with this key that waits, and leaves alone one that runs: that one is not tried again. The
   * keys of one call must differ.
   */
  readonly key?: string | undefined;
  /** How often it is tried before it is given up, kills of its replica included; default: 25, over some days. */
  readonly attemptsMax?: number | undefined;
}

/**
 * Who runs which jobs. An *owner* is what takes jobs in one replica, under a name that is never used twice; it is alive
 * as long as its session is.
 */
export interface JobOwners {
  /**
   * Opens the session of an owner, on a connection of its own. The server ends it when its replica is gone, however that
   * came about. No statement on it waits longer than `timeoutMs` for an answer.
   */
  enter(owner: string, timeoutMs: number): Promise<OwnerSession>;
  /** Puts back a job that this owner runs, to be run by anyone at once. The attempt does not count. */
  giveBack(owner: string, jobId: string): Promise<void>;
  /** How many jobs there are, counted up to `countMax` of each kind. */
  figures(countMax: number): Promise<JobFigures>;
}

export interface OwnerSession {
  /** The owners of jobs under way who have no session now. Throws when this session is lost: it is to be ended then. */
  missing(): Promise<readonly string[]>;
  /**
   * Puts back the jobs of these owners, unless one has a session after all, and answers them. The attempt counts: a
   * job that kills its replica must come to an end. Those that were asked for again meanwhile are not put back: the one
   * that took their place waits.
   */
  release(owners: readonly string[]): Promise<readonly ReleasedJob[]>;
  /** Ends the session. May be called twice. */
  end(): void;
}

export interface ReleasedJob {
  readonly id: string;
  readonly name: string;
  readonly owner: string;
  /** It was its last attempt: it stays as failed. */
  readonly failed: boolean;
}

export interface JobFigures {
  /** For their time, or for a replica that takes them. */
  readonly waiting: number;
  readonly running: number;
  /** For good: they are kept for people to look at. */
  readonly failed: number;
}

/** What is left of jobs that nobody will run. */
export interface JobRemains {
  /** Deletes jobs that failed for good longer ago than this, so many at most, and answers how many. */
  deleteFailed(which: { readonly olderThanMs: number; readonly limit: number }): Promise<number>;
}
