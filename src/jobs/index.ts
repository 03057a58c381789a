import type { JobRemains } from '../repository/jobs.ts';
import type { Verifications } from '../verification/verifications.ts';
import type { JobLog } from './job-log.ts';
import type { Job } from './job.ts';
import { pruneFailedJobs } from './prune-failed-jobs.ts';
import { verifyLedger } from './verify-ledger.ts';

/** What jobs work with. */
export interface JobParts {
  readonly verifications: Verifications;
  readonly jobRemains: JobRemains;
  readonly settings: {
    readonly verifySchedule: string | null;
  };
  readonly log: JobLog;
}

/**
 * Every job that has a schedule. A new one is a file in this folder and a line here. Also those that are switched off
 * are listed, without a schedule: one that waits from before must not wait for ever.
 */
export function scheduledJobs({ verifications, jobRemains, settings, log }: JobParts): readonly Job[] {
  return [
    verifyLedger({ verifications, schedule: settings.verifySchedule, log }),
    pruneFailedJobs({ remains: jobRemains, log }),
  ];
}
