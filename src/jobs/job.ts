import type { JsonObject } from '../domain/json.ts';

/**
 * Work that is run once for each time it is asked for or due, on any one replica. It is done at least once: a replica may
 * die when the work is done and that is not yet recorded. So a job must bear being run again.
 */
export interface Job {
  /** Kept in the database: never changed while jobs of this name may wait there. */
  readonly name: string;
  /**
   * When it is due, as a cron line of five fields, in UTC; undefined: only when asked for. It fires once however many
   * replicas run; one that was missed while none ran is made up for, once, by the first to start within a day. Runs of
   * it never overlap.
   */
  readonly schedule?: string | undefined;
  /**
   * How often a run that was due by schedule is tried before it is given up. That its replica was killed counts, so that
   * a job that kills its replica comes to an end; that its replica was stopped does not.
   */
  readonly attemptsMax: number;
  /**
   * Cutting it off costs little, and waiting for it takes long: it is aborted as soon as its replica is told to stop.
   * Otherwise it may first use the time that a stop has.
   */
  readonly endsAtOnce?: boolean;
  /** What it throws fails this attempt: it is logged, and tried again after a wait of e^attempt seconds, up to 6 h. */
  run(payload: JsonObject, context: JobContext): Promise<void>;
}

export interface JobContext {
  /**
   * Aborts when the job is to end now: its replica stops, or can't prove to be alive any more, so that another one will
   * take over. What it throws after that is no failure: it is run again, elsewhere and at once.
   */
  readonly signal: AbortSignal;
  /** From 1. */
  readonly attempt: number;
}
