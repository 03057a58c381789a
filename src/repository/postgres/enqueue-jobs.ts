import { CompiledQuery, type Transaction } from 'kysely';
import type { JobRequest } from '../jobs.ts';
import type { DB } from './database-types.ts';
import type { Saving } from './savings.ts';
import { statement } from './statements.ts';

/** What sends a statement: a client of `pg` that is in a transaction. */
interface Sender {
  query(text: string, values: unknown[]): Promise<unknown>;
}

/**
 * Asks for jobs in the transaction that the connection is in: they are kept with it, or with its rollback there are
 * none. One statement, however many. It takes no locks that another such transaction would wait for, unless a key is
 * the same, or a queue is new to both; its NOTIFY, which wakes the replicas, makes their commits take turns.
 */
export async function enqueueJobs(client: Sender, jobs: readonly JobRequest[]): Promise<void> {
  if (jobs.length === 0) return;
  const { statement, values } = jobSaving(jobs);
  await client.query(statement.text, [...values]);
}

/** The same, as a statement to send with a commit. */
export function jobSaving(jobs: readonly JobRequest[]): Saving {
  const specs = jobs.map(({ name, payload, queue, runAtMs, key, attemptsMax }) => ({
    identifier: name,
    payload,
    queue_name: queue,
    run_at: runAtMs === undefined ? undefined : new Date(runAtMs).toISOString(),
    max_attempts: attemptsMax,
    job_key: key,
  }));
  return { statement: addJobs, values: [JSON.stringify(specs)] };
}

const addJobs = statement(
  'add_jobs',
  `
  select count(*) from graphile_worker.add_jobs(
    array(select json_populate_recordset(null::graphile_worker.job_spec, $1::json)))`,
);

/** What sends a statement in a transaction of Kysely's. */
export function senderOf(transaction: Transaction<DB>): Sender {
  return {
    query: async (text, values) => await transaction.executeQuery(CompiledQuery.raw(text, values)),
  };
}
