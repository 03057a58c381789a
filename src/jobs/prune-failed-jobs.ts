import type { JobRemains } from '../repository/jobs.ts';
import type { JobLog } from './job-log.ts';
import type { Job } from './job.ts';

const keptMs = 30 * 86_400_000;
const batchRows = 1000;

/** Deletes jobs that failed for good, thirty days after their last attempt: long enough to be looked at. */
export function pruneFailedJobs({ remains, log }: { remains: JobRemains; log: JobLog }): Job {
  return {
    name: 'prune-failed-jobs',
    schedule: '17 * * * *',
    attemptsMax: 5,
    endsAtOnce: true,
    run: async (_payload, { signal }) => {
      let jobs = 0;
      for (let deleted = batchRows; deleted === batchRows; jobs += deleted) {
        signal.throwIfAborted();
        deleted = await remains.deleteFailed({ olderThanMs: keptMs, limit: batchRows });
      }
      if (jobs > 0) log.info({ jobs }, 'failed jobs were pruned');
    },
  };
}
