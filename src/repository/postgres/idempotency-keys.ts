import type { Pool } from 'pg';
import type { IdempotencyKeys, Pruned } from '../idempotency-keys.ts';
import { translated } from './errors.ts';

export class PostgresIdempotencyKeys implements IdempotencyKeys {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async prune({ olderThanMs, limit }: { olderThanMs: number; limit: number }): Promise<Pruned> {
    return await translated(async () => {
      const client = await this.#pool.connect();
      let fit = false;
      try {
        await client.query(begin);
        await client.query(`select position from pruning where name = 'idempotency keys' for update`);
        const { rows } = await client.query<Pruned>(prune, [olderThanMs, limit]);
        await client.query('commit');
        fit = true;
        return rows[0] ?? { keys: 0, more: false };
      } finally {
        // Closed with whatever it was in.
        client.release(!fit);
      }
    });
  }
}

const begin = `
  begin; set local lock_timeout = '10s'; set local statement_timeout = '60s';
  set local idle_in_transaction_session_timeout = '60s'`;

/**
 * In the order of the feed, which is that of time but for an account whose clock was once ahead: it waits for that. Nobody
 * locks an operation's row, so nobody waits for this; and a batch that looks for a key sees it, or sees it gone.
 */
const prune = `
  with page as materialized (
    select id, bucket, position, at, type <> 'reward' and idempotency_key is not null as prunable
    from operations where position > (select position from pruning where name = 'idempotency keys')
    order by position limit $2
  ), reached as materialized (
    select count(*) as operations, max(position) as position from page
    where position < coalesce((
      select min(position) from page where at >= clock_timestamp() - $1::float8 * interval '1 millisecond'
    ), 9223372036854775807)
  ), pruned as (
    update operations set idempotency_key = null, request_hash = null
    from page, reached
    where operations.id = page.id and operations.bucket = page.bucket
      and page.prunable and page.position <= reached.position
    returning 1
  ), moved as (
    update pruning set position = reached.position from reached
    where name = 'idempotency keys' and reached.position is not null
  )
  select (select count(*)::int from pruned) as keys, operations = $2 as more from reached`;
