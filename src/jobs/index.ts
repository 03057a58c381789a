import type { JobRemains } from '../repository/jobs.ts';
import type { IdempotencyKeys } from '../repository/idempotency-keys.ts';
import type { Verifications } from '../verification/verifications.ts';
import type { JobLog } from './job-log.ts';
import type { Job } from './job.ts';
import { pruneFailedJobs } from './prune-failed-jobs.ts';
import { pruneIdempotencyKeys } from './prune-idempotency-keys.ts';
import { verifyLedger } from './verify-ledger.ts';

/** What jobs work with. */
export interface JobParts {
  readonly verifications: Verifications;
  readonly jobRemains: JobRemains;
  readonly idempotencyKeys: IdempotencyKeys;
  readonly settings: {
    readonly verifySchedule: string | null;
    /** Null: for ever. */
    readonly idempotencyKeysKeptMs: number | null;
  };
  readonly log: JobLog;
}

/**
 * Every job that has a schedule. A new one is a file in this folder and a line here. Also those that are switched off
 * are listed, without a schedule: one that waits from before must not wait for ever.
 */
export function scheduledJobs(parts: JobParts): readonly Job[] {
  const { verifications, jobRemains, idempotencyKeys, settings, log } = parts;
  return [
    verifyLedger({ verifications, schedule: settings.verifySchedule, log }),
    pruneIdempotencyKeys({ keys: idempotencyKeys, keptMs: settings.idempotencyKeysKeptMs, log }),
    pruneFailedJobs({ remains: jobRemains, log }),
  ];
}
