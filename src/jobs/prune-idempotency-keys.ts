import { setTimeout as sleep } from 'node:timers/promises';
import type { IdempotencyKeys } from '../repository/idempotency-keys.ts';
import type { JobLog } from './job-log.ts';
import type { Job } from './job.ts';

/** Some milliseconds of one transaction. */
const batchOperations = 500;
/** For those who write meanwhile. */
const pauseMs = 50;

interface Parts {
  readonly keys: IdempotencyKeys;
  /** Null: for ever. */
  readonly keptMs: number | null;
  readonly log: JobLog;
}

/** Removes idempotency keys that are older than they need be kept: a request repeated after that is done again. */
export function pruneIdempotencyKeys({ keys, keptMs, log }: Parts): Job {
  return {
    name: 'prune-idempotency-keys',
    schedule: keptMs === null ? undefined : '7 * * * *',
    attemptsMax: 5,
    endsAtOnce: true,
    run: async (_payload, { signal }) => {
      if (keptMs === null) return;
      let pruned = 0;
      for (let more = true; more;) {
        signal.throwIfAborted();
        const batch = await keys.prune({ olderThanMs: keptMs, limit: batchOperations });
        pruned += batch.keys;
        ({ more } = batch);
        if (more) await sleep(pauseMs, undefined, { signal });
      }
      if (pruned > 0) log.info({ keys: pruned }, 'old idempotency keys were pruned');
    },
  };
}
