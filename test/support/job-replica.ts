import pg from 'pg';
import type { JobLog } from '../../src/jobs/job-log.ts';
import { JobRunner } from '../../src/jobs/job-runner.ts';
import type { Job } from '../../src/jobs/job.ts';
import type { PresenceTimes } from '../../src/jobs/presence.ts';
import { BackgroundTasks } from '../../src/lifecycle/background-tasks.ts';
import { PostgresJobOwners } from '../../src/repository/postgres/job-owners.ts';

/** A line that was logged. */
export interface Logged {
  readonly level: keyof JobLog;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What of a replica runs jobs, and nothing else. */
export class JobReplica {
  readonly logged: Logged[] = [];
  readonly owners: PostgresJobOwners;
  readonly #pool: pg.Pool;
  readonly #tasks: BackgroundTasks;

  constructor(
    connectionString: string,
    jobs: readonly Job[],
    { concurrency = 2, times }: { concurrency?: number; times?: PresenceTimes } = {},
  ) {
    this.#pool = new pg.Pool({ connectionString, max: concurrency + 4, connectionTimeoutMillis: 2000 });
    for (const event of ['error', 'connect'] as const)
      this.#pool.on(event, (client: Error | pg.PoolClient) => {
        if (!(client instanceof Error)) client.on('error', () => undefined);
      });
    this.owners = new PostgresJobOwners({ pool: this.#pool, reads: this.#pool });
    const maxRunning = { jobs: concurrency + 1, consumers: 0, streams: 0, chores: 0 };
    const log = this.#log();
    this.#tasks = new BackgroundTasks({ maxRunning, log });
    const runner = new JobRunner({
      pool: this.#pool,
      owners: this.owners,
      jobs,
      tasks: this.#tasks,
      settings: { concurrency, pollIntervalMs: 50, namedStatements: true },
      log,
      ...(times === undefined ? {} : { times }),
    });
    this.#tasks.start('jobs', 'take jobs', async (signals) => {
      await runner.run(signals);
    });
  }

  /** Takes no more jobs; does not wait. */
  beginStop(): void {
    this.#tasks.stop('jobs');
  }

  /** Answers the names of what ignored its abort. */
  async stop(deadlineMs = 10_000, abortGraceMs = 2000): Promise<readonly string[]> {
    return await this.#tasks.close('jobs', { deadlineMs, abortGraceMs });
  }

  async close(): Promise<void> {
    await this.stop();
    await this.#pool.end();
  }

  #log(): JobLog {
    const level = (name: keyof JobLog) => (fields: object, message: string) => {
      this.logged.push({ level: name, message, fields: { ...fields } });
    };
    return { debug: level('debug'), info: level('info'), warn: level('warn'), error: level('error') };
  }
}
