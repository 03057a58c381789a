import { EventEmitter } from 'node:events';
import {
  parseCronItems,
  run,
  type JobHelpers,
  type ParsedCronItem,
  type RunnerOptions,
  type WorkerPool,
} from 'graphile-worker';
import type { Pool } from 'pg';
import { graphileLogger, type JobLog } from './job-log.ts';
import type { Job } from './job.ts';

export interface JobWorkerOptions {
  /** Of direct connections, because one listens; it needs listeners of `error` and `connect`. */
  readonly pool: Pool;
  readonly jobs: readonly Job[];
  /** How many jobs run here at once. */
  readonly concurrency: number;
  /** How soon jobs whose time has come are found; those that are due when they are asked for are found at once. */
  readonly pollIntervalMs: number;
  readonly namedStatements: boolean;
  readonly log: JobLog;
  /** Jobs are taken, in the name of this owner, when it resolves; it must not reject. */
  readonly beforeFirst: (owner: string) => Promise<void>;
  readonly runJob: (job: Job, payload: unknown, helpers: JobHelpers) => Promise<void>;
}

export interface JobWorker {
  /** Takes no more jobs; does not wait for those under way. */
  stop(): void;
  /** Resolves when no job is under way any more, after a stop; rejects when it can't go on. */
  readonly ended: Promise<void>;
}

/** A schedule that nobody was there to fire is made up for within this time. */
const catchUpMs = 86_400_000;

/** Starts a worker pool of graphile-worker, and its cron. */
export async function startJobWorker(options: JobWorkerOptions): Promise<JobWorker> {
  const { pool, jobs, log, beforeFirst, runJob } = options;
  const events: NonNullable<RunnerOptions['events']> = new EventEmitter();
  let workerPool: WorkerPool | undefined;
  events.once('pool:create', (event) => {
    workerPool = event.workerPool;
  });
  const runner = await run({
    pgPool: pool,
    taskList: Object.fromEntries(
      jobs.map((job) => [
        job.name,
        async (payload: unknown, helpers: JobHelpers) => await runJob(job, payload, helpers),
      ]),
    ),
    parsedCronItems: cronItems(jobs),
    concurrency: options.concurrency,
    pollInterval: options.pollIntervalMs,
    noPreparedStatements: !options.namedStatements,
    noHandleSignals: true,
    logger: graphileLogger(log),
    events,
    preset: {
      worker: {
        // Not at once, which is the default: then nobody would catch it when the outcome of a job can't be recorded.
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
      },
      plugins: [
        {
          name: 'HoldfastPlugin',
          version: '1',
          worker: {
            hooks: { startWorker: async (_context, { worker }) => await beforeFirst(worker.workerPool.id) },
          },
        },
      ],
    },
  });
  if (workerPool === undefined) throw new Error('graphile-worker has no worker pool');
  let stopped = false;
  return {
    ended: workerPool.promise,
    stop: () => {
      if (stopped) return;
      stopped = true;
      // Not waited for: its cron may sleep for a minute after an error. What goes wrong with the jobs is told by `ended`.
      runner.stop().catch((error: unknown) => {
        log.debug({ err: error }, 'graphile-worker had stopped by itself');
      });
    },
  };
}

function cronItems(jobs: readonly Job[]): ParsedCronItem[] {
  return parseCronItems(
    jobs.flatMap(({ name, schedule, attemptsMax }) =>
      schedule === undefined
        ? []
        : {
            task: name,
            identifier: name,
            match: schedule,
            options: {
              backfillPeriod: catchUpMs,
              maxAttempts: attemptsMax,
              // One at a time, and one that waits: a run that was due takes the place of one that is still to be run.
              queueName: name,
              jobKey: name,
              jobKeyMode: 'replace' as const,
            },
          },
    ),
  );
}
