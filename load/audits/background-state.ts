import { select } from '../throwaway-postgres.ts';

/** What the background work of a database has still to do, by the database's own account of it. */
export interface BackgroundState {
  /** Of the database. */
  readonly atMs: number;
  /** Consumers that have not passed the last operation, with how many positions they lack. */
  readonly behind: Readonly<Record<string, number>>;
  /** Deliveries that have yet to be acknowledged. */
  readonly undelivered: number;
  /** What was given up: operations that a consumer has parked, deliveries that are dead, jobs that failed for good. */
  readonly givenUp: number;
  /** All jobs that graphile-worker has. */
  readonly jobs: number;
}

/** Reads it in one statement, so that what it tells was so at one moment. A consumer that never worked is behind, too. */
export async function readBackgroundState(
  databaseUrl: string,
  consumers: readonly string[],
): Promise<BackgroundState> {
  const names = consumers.map((name) => `('${name}')`).join(', ');
  const [row] = await select(
    databaseUrl,
    `select extract(epoch from clock_timestamp()) * 1000 as at_ms,
       (select coalesce(json_object_agg(name, feed.last - coalesce(position, 0)), '{}')
          from (values ${names}) as expected (name) left join consumers using (name),
            (select coalesce(max(position), 0) as last from operations) as feed
          where coalesce(position, 0) < feed.last) as behind,
       (select count(*) from webhook_deliveries where status = 'pending') as undelivered,
       (select count(*) from parked_operations)
         + (select count(*) from webhook_deliveries where status = 'dead')
         + (select count(*) from graphile_worker.jobs where attempts >= max_attempts and locked_by is null) as given_up,
       (select count(*) from graphile_worker.jobs) as jobs`,
  );
  if (row === undefined) throw new Error('the state is one row');
  return {
    atMs: Number(row['at_ms']),
    behind: row['behind'] as Record<string, number>,
    undelivered: Number(row['undelivered']),
    givenUp: Number(row['given_up']),
    jobs: Number(row['jobs']),
  };
}
