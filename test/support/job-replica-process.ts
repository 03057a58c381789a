import { once } from 'node:events';
import { JobReplica } from './job-replica.ts';
import { query } from './query.ts';

/**
 * A process that runs jobs and nothing else, to be stopped and killed. Run with `fork`: its arguments are the database's
 * URL and a cron line, if any. Its job `work` notes in the table `job_notes` when it begins and when it is done, and
 * does not come to an end at its first attempt.
 */
const [url, schedule] = process.argv.slice(2);
if (url === undefined) throw new Error('usage: job-replica-process.ts <database URL> [<cron line>]');
const orphaned = (): never => process.exit(1);
process.on('disconnect', orphaned);

const note = async (event: string, attempt: number): Promise<void> => {
  await query(url, 'insert into job_notes (pid, event, attempt) values ($1, $2, $3)', [
    process.pid,
    event,
    attempt,
  ]);
};

const replica = new JobReplica(url, [
  {
    name: 'work',
    schedule,
    attemptsMax: 5,
    run: async (_payload, { signal, attempt }) => {
      await note('began', attempt);
      if (attempt === 1) {
        await once(signal, 'abort');
        signal.throwIfAborted();
      }
      await note('done', attempt);
    },
  },
]);

await once(process, 'SIGTERM');
const ignored = await replica.stop(0);
await replica.close();
process.exitCode = ignored.length === 0 ? 0 : 1;
// It ends by itself, or else something was left.
process.off('disconnect', orphaned);
process.disconnect();
