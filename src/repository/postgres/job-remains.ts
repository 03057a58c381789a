import type { Pool } from 'pg';
import type { JobRemains } from '../jobs.ts';
import { translated } from './errors.ts';

export class PostgresJobRemains implements JobRemains {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async deleteFailed({ olderThanMs, limit }: { olderThanMs: number; limit: number }): Promise<number> {
    return await translated(async () => {
      const { rowCount } = await this.#pool.query(deleteFailed, [olderThanMs, limit]);
      return rowCount ?? 0;
    });
  }
}

/**
 * A failure sets `run_at` to when it would have been tried again. The rows of queues stay, few as they are: nothing
 * keeps a job that is just being asked for from naming a queue that is just being deleted, and it would never run.
 */
const deleteFailed = `
  delete from graphile_worker._private_jobs where id in (
    select id from graphile_worker._private_jobs
    where is_available = false and locked_by is null
      and greatest(run_at, updated_at) < now() - $1::float8 * interval '1 millisecond'
    limit $2 for update skip locked)`;
