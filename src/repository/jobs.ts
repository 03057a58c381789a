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
