import { query } from './query.ts';

/**
 * Makes the database one in which a schedule was due a minute ago and nobody was there, and answers the cron line: whoever
 * starts now makes up for it, and it is not due again before an hour has gone by.
 */
export async function missSchedule(url: string, job: string): Promise<string> {
  const due = new Date(Math.floor(Date.now() / 60_000) * 60_000 - 60_000);
  await query(
    url,
    `insert into graphile_worker._private_known_crontabs (identifier, known_since, last_execution)
     values ($1, $2, $2)`,
    [job, new Date(due.getTime() - 60_000)],
  );
  return `${due.getUTCMinutes()} * * * *`;
}
