import type { Pool, PoolClient, QueryResultRow } from 'pg';
import type { JobFigures, JobOwners, OwnerSession, ReleasedJob } from '../jobs.ts';
import { translated } from './errors.ts';

/**
 * An owner is a worker pool of graphile-worker, which marks the jobs it runs with the pool's id and knows nothing of
 * other pools. Alive is whose session holds an advisory lock: it goes with the session, whether the process ended, was
 * killed, or its machine is gone. A heartbeat in a table would also take for dead whoever is only slow.
 */
export class PostgresJobOwners implements JobOwners {
  readonly #pool: Pool;
  readonly #reads: Pool;

  /** `pool`: of direct connections, because the locks are a session's; `reads`: for those who only look. */
  constructor({ pool, reads }: { pool: Pool; reads: Pool }) {
    this.#pool = pool;
    this.#reads = reads;
  }

  async enter(owner: string, timeoutMs: number): Promise<OwnerSession> {
    return await translated(async () => {
      const session = new PostgresOwnerSession(await this.#pool.connect(), { owner, timeoutMs });
      try {
        await session.begin();
        return session;
      } catch (error) {
        session.end();
        throw error;
      }
    });
  }

  async giveBack(owner: string, jobId: string): Promise<void> {
    await translated(async () => {
      await this.#pool.query(giveBack, [owner, jobId]);
    });
  }

  async figures(countMax: number): Promise<JobFigures> {
    return await translated(async () => {
      const { rows } = await this.#reads.query<JobFigures>(figures, [countMax]);
      return rows[0] ?? { waiting: 0, running: 0, failed: 0 };
    });
  }
}

class PostgresOwnerSession implements OwnerSession {
  readonly #client: PoolClient;
  readonly #owner: string;
  readonly #timeoutMs: number;
  #ended = false;

  constructor(client: PoolClient, { owner, timeoutMs }: { owner: string; timeoutMs: number }) {
    this.#client = client;
    this.#owner = owner;
    this.#timeoutMs = timeoutMs;
  }

  async begin(): Promise<void> {
    await this.#query(soonNoticed);
    // Shared, so that nobody ever waits for it, not even for one whose name has the same hash.
    await this.#query(`select pg_advisory_lock_shared(${namespace}, hashtext($1))`, [this.#owner]);
  }

  async missing(): Promise<readonly string[]> {
    const rows = await this.#query<{ owner: string }>(missing, [this.#owner]);
    return rows.map(({ owner }) => owner);
  }

  async release(owners: readonly string[]): Promise<readonly ReleasedJob[]> {
    return await this.#query<ReleasedJob>(release, [owners]);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    // Closed, not given back: the lock would live on in the pool.
    this.#client.release(true);
  }

  async #query<Row extends QueryResultRow>(
    text: string,
    values?: readonly unknown[],
  ): Promise<readonly Row[]> {
    // A server that can't be reached any more does not close the connection.
    const timer = setTimeout(() => {
      this.#client.connection.stream.destroy();
    }, this.#timeoutMs);
    try {
      return await translated(async () => {
        const { rows } = await this.#client.query<Row>(text, values === undefined ? undefined : [...values]);
        return rows;
      });
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Of our locks of two numbers. */
const namespace = 18_503;

/** How soon the server notices that the other end is gone without a word: some five seconds. Nothing on a Unix socket. */
const soonNoticed = `
  set tcp_keepalives_idle = 2; set tcp_keepalives_interval = 1; set tcp_keepalives_count = 3;
  set tcp_user_timeout = 5000; set statement_timeout = 0; set idle_session_timeout = 0`;

const ownersWithSession = `
  select objid::bigint from pg_locks
  where locktype = 'advisory' and objsubid = 2 and classid = ${namespace} and granted
    and database = (select oid from pg_database where datname = current_database())`;
const hashOf = (owner: string) => `(hashtext(${owner})::bigint & 4294967295)`;

/**
 * Also makes the owner's own long jobs younger: graphile-worker takes away from anyone what was begun more than four
 * hours ago. Nearly always that changes no row. The jobs under way are found by an index of ours (see job-schema.ts).
 */
const missing = `
  with younger_jobs as (
    update graphile_worker._private_jobs set locked_at = now()
    where is_available = false and locked_by = $1 and locked_at < now() - interval '1 hour'
  ), younger_queues as (
    update graphile_worker._private_job_queues set locked_at = now()
    where locked_by = $1 and locked_at < now() - interval '1 hour'
  ), owners as (
    select locked_by as owner from graphile_worker._private_jobs
    where is_available = false and locked_by is not null
    union
    select locked_by from graphile_worker._private_job_queues where locked_by is not null
  )
  select owner from owners where ${hashOf('owner')} not in (${ownersWithSession})`;

const wake = `pg_notify('jobs:insert', json_build_object('r', random(), 'count', count(*))::text)`;

/**
 * A job that was asked for again under its key while it was under way has lost the key and all its attempts to the one
 * that waits in its place (see graphile-worker's add_jobs): it is no failure, and nobody's to do any more.
 */
const release = `
  with dead as (
    select owner from unnest($1::text[]) as named (owner)
    where ${hashOf('owner')} not in (${ownersWithSession})
  ), theirs as (
    select job.id, dead.owner, job.attempts >= job.max_attempts and job.key is null and exists (
        select from graphile_worker._private_jobs as other
        where other.job_queue_id = job.job_queue_id and other.task_id = job.task_id
          and other.id > job.id and other.key is not null
      ) as replaced
    from graphile_worker._private_jobs as job join dead on job.is_available = false and job.locked_by = dead.owner
    for update of job
  ), dropped as (
    delete from graphile_worker._private_jobs as job using theirs where job.id = theirs.id and theirs.replaced
  ), jobs as (
    update graphile_worker._private_jobs as job set locked_by = null, locked_at = null,
      last_error = case when attempts >= max_attempts then 'its replica died' else last_error end
    from theirs where job.id = theirs.id and not theirs.replaced
    returning job.id, job.task_id, theirs.owner, attempts >= max_attempts as failed
  ), queues as (
    update graphile_worker._private_job_queues as queue set locked_by = null, locked_at = null
    from dead where queue.locked_by = dead.owner
  ), woken as (
    select ${wake} from theirs
  )
  select jobs.id::text, task.identifier as name, owner, failed
  from jobs join graphile_worker._private_tasks as task on task.id = task_id, woken order by jobs.id`;

const giveBack = `
  with given as (
    update graphile_worker._private_jobs set attempts = greatest(0, attempts - 1), locked_by = null, locked_at = null
    where id = $2::bigint and locked_by = $1
    returning job_queue_id
  ), queues as (
    update graphile_worker._private_job_queues as queue set locked_by = null, locked_at = null
    from given where queue.id = given.job_queue_id and queue.locked_by = $1
  )
  select ${wake} from given`;

/** Counts no further than it is asked to, each by an index. */
const figures = `
  select
    (select count(*)::int from (
      select from graphile_worker._private_jobs where is_available = true limit $1) as found) as waiting,
    (select count(*)::int from (
      select from graphile_worker._private_jobs
      where is_available = false and locked_by is not null limit $1) as found) as running,
    (select count(*)::int from (
      select from graphile_worker._private_jobs
      where is_available = false and locked_by is null limit $1) as found) as failed`;
