import { setTimeout as sleep } from 'node:timers/promises';
import type { JobHelpers } from 'graphile-worker';
import type { Pool } from 'pg';
import type { JsonObject } from '../domain/json.ts';
import type { JobOwners } from '../repository/jobs.ts';
import type { JobLog } from './job-log.ts';
import { startJobWorker } from './job-worker.ts';
import type { Job } from './job.ts';
import { Presence, presenceTimes, type PresenceTimes } from './presence.ts';

/** How a task of the background is told that its time is up. */
export interface JobSignals {
  /** Take no more jobs. */
  readonly stopping: AbortSignal;
  /** Those under way are to end now. */
  readonly aborted: AbortSignal;
}

/** What registers the work of this process, so that a stop can wait for it and name what ignores it. */
export interface JobTasks {
  start(kind: 'jobs', name: string, work: (signals: JobSignals) => Promise<void>): boolean;
}

export interface JobRunnerOptions {
  readonly pool: Pool;
  readonly owners: JobOwners;
  readonly jobs: readonly Job[];
  readonly tasks: JobTasks;
  readonly settings: {
    readonly concurrency: number;
    readonly pollIntervalMs: number;
    readonly namedStatements: boolean;
  };
  readonly log: JobLog;
  /** For tests. */
  readonly times?: PresenceTimes;
}

const restartMs = { first: 500, max: 30_000 };

/**
 * Runs jobs in this replica, until it is told to stop. Each job is a task of its own kind in the background, so a stop
 * waits for it, aborts it when the time is up, and tells its name if it ignores that. A job that is cut off is put back,
 * and runs again elsewhere at once; those of a replica that is killed are found by the others, see `Presence`.
 */
export class JobRunner {
  readonly #options: JobRunnerOptions;

  constructor(options: JobRunnerOptions) {
    this.#options = options;
  }

  /** Resolves when it was told to stop and no job is under way any more. Goes on whatever happens to the database. */
  async run({ stopping }: JobSignals): Promise<void> {
    const { log } = this.#options;
    for (let waitMs = restartMs.first; !stopping.aborted; waitMs = Math.min(2 * waitMs, restartMs.max)) {
      const beganMs = performance.now();
      try {
        await this.#work(stopping);
      } catch (error) {
        log.error({ err: error }, 'jobs can’t be run any more: starting anew');
      }
      if (performance.now() - beganMs > restartMs.max) waitMs = restartMs.first;
      await sleep(waitMs, undefined, { signal: stopping }).catch(() => undefined);
    }
  }

  /** Under one owner's name: until told to stop, or the outcome of a job could not be recorded. */
  async #work(stopping: AbortSignal): Promise<void> {
    const { pool, owners, jobs, settings, log, times = presenceTimes } = this.#options;
    const ended = new AbortController();
    let presence: Presence | undefined;
    let present: Promise<void> | undefined;
    const appear = (owner: string): Presence => {
      if (presence === undefined) {
        presence = new Presence({ owner, owners, log, times });
        present = presence.run(ended.signal);
      }
      return presence;
    };
    const leave = (): void => {
      worker?.stop();
    };
    let worker: Awaited<ReturnType<typeof startJobWorker>> | undefined;
    try {
      worker = await startJobWorker({
        ...settings,
        pool,
        jobs,
        log,
        beforeFirst: async (owner) => {
          const { entered } = appear(owner);
          await Promise.race([entered, aborted(stopping)]);
        },
        runJob: async (job, payload, helpers) => {
          const owner = helpers.job.locked_by ?? '';
          await this.#runAsTask(job, appear(owner), { owner, payload, helpers });
        },
      });
      stopping.addEventListener('abort', leave);
      if (stopping.aborted) worker.stop();
      await worker.ended;
    } finally {
      stopping.removeEventListener('abort', leave);
      // Only now: until here others must know that its jobs are under way.
      ended.abort();
      await present;
    }
  }

  async #runAsTask(job: Job, presence: Presence, run: JobRun): Promise<void> {
    const outcome = Promise.withResolvers<undefined>();
    const started = this.#options.tasks.start('jobs', `job ${job.name}`, async (signals) => {
      try {
        await this.#attempt(job, presence, { ...run, signals });
        outcome.resolve(undefined);
      } catch (error) {
        // To whoever records it, and nowhere else: it has been logged.
        outcome.reject(error);
      }
    });
    if (!started) {
      await this.#options.owners.giveBack(run.owner, run.helpers.job.id);
      throw new Error('this replica is stopping');
    }
    await outcome.promise;
  }

  async #attempt(job: Job, presence: Presence, run: JobRun & { signals: JobSignals }): Promise<void> {
    const { owners, log } = this.#options;
    const { owner, payload, helpers, signals } = run;
    const { stopping } = signals;
    const { id: jobId, attempts: attempt, max_attempts: attemptsMax } = helpers.job;
    const told = [signals.aborted, presence.surrendered, ...(job.endsAtOnce === true ? [stopping] : [])];
    const signal = AbortSignal.any(told);
    const fields = { job: job.name, jobId, attempt, attemptsMax };
    const beganMs = performance.now();
    try {
      await job.run(objectOf(payload), { signal, attempt });
      log.debug({ ...fields, ms: Math.round(performance.now() - beganMs) }, 'a job is done');
    } catch (error) {
      if (signal.aborted || stopping.aborted) {
        await owners.giveBack(owner, jobId);
        log.info(fields, 'a job was cut off and put back: it is run again elsewhere');
      } else if (attempt < attemptsMax) {
        log.warn({ ...fields, err: error }, 'a job failed and is tried again later');
      } else {
        log.error({ ...fields, err: error }, 'a job failed for good');
      }
      throw error;
    }
  }
}

interface JobRun {
  readonly owner: string;
  readonly payload: unknown;
  readonly helpers: JobHelpers;
}

/** What was kept as a job's payload by `JobRequest`, or by a schedule. */
function objectOf(payload: unknown): JsonObject {
  return typeof payload === 'object' && payload !== null && !Array.isArray(payload)
    ? (payload as JsonObject)
    : {};
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener(
      'abort',
      () => {
        resolve();
      },
      { once: true },
    );
  });
}
