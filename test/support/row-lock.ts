import pg from 'pg';
import { query } from './query.ts';
import { until } from './until.ts';

/** A transaction of a stranger to the service, which holds locks until it is told to let go. */
export interface StrangersLock {
  /** Resolves when so many of the service's connections are seen to wait for it. */
  waitedFor(count?: number): Promise<void>;
  release(): Promise<void>;
}

/** Runs a locking statement, such as `select … for update`, and keeps what it locked. */
export async function holdLock(
  databaseUrl: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<StrangersLock> {
  const connection = new pg.Client({ connectionString: databaseUrl, application_name: 'a stranger' });
  // The test itself may end the database under it.
  connection.on('error', () => undefined);
  await connection.connect();
  await connection.query('begin');
  await connection.query(text, [...values]);
  const waiting = `
    select count(*)::int as count from pg_stat_activity
    where datname = current_database() and exists (
      select from unnest(pg_blocking_pids(pid)) as blocker (pid)
      join pg_stat_activity as holder on holder.pid = blocker.pid
      where holder.application_name = 'a stranger')`;
  return {
    waitedFor: async (count = 1) => {
      await until(`${count} wait for the lock`, async () => {
        const { rows } = await query(databaseUrl, waiting);
        return Number(rows[0]?.['count']) >= count;
      });
    },
    release: async () => {
      await connection.query('rollback');
      await connection.end();
    },
  };
}

/** Holds the row of one account. */
export async function holdAccount(databaseUrl: string, account: string): Promise<StrangersLock> {
  return await holdLock(databaseUrl, 'select from accounts where id = $1 for update', [account]);
}
