import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { JobReplica } from '../../test/support/job-replica.ts';
import { query } from '../../test/support/query.ts';
import { until } from '../../test/support/until.ts';
import type { JobRequest } from '../repository/jobs.ts';
import { enqueueJobs } from '../repository/postgres/enqueue-jobs.ts';
import type { Job, JobContext } from './job.ts';

let database: TestDatabase;
let replicas: JobReplica[];

beforeEach(async () => {
  database = await createTestDatabase();
  replicas = [];
});

afterEach(async () => {
  for (const replica of replicas) await replica.close();
});

function replica(job: Partial<Job> & Pick<Job, 'run'>): JobReplica {
  const started = new JobReplica(database.url, [{ name: 'work', attemptsMax: 3, ...job }]);
  replicas.push(started);
  return started;
}

async function ask(...jobs: Partial<JobRequest>[]): Promise<void> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await enqueueJobs(
    client,
    jobs.map((job) => ({ name: 'work', payload: {}, ...job })),
  );
  await client.end();
}

const kept = async () =>
  (
    await query(
      database.url,
      `select attempts, max_attempts, last_error, locked_by is not null as locked, run_at <= now() as due
       from graphile_worker.jobs order by id`,
    )
  ).rows;

/** A job that begins and then goes on until it is told to end, or let go. */
function held(heeds: boolean) {
  const began: JobContext[] = [];
  const letGo = Promise.withResolvers<null>();
  const run = async (_payload: unknown, context: JobContext): Promise<void> => {
    began.push(context);
    const told = new Promise<never>((_resolve, reject) => {
      context.signal.addEventListener('abort', () => {
        if (heeds) reject(new Error('told to end'));
      });
    });
    await Promise.race([letGo.promise, told]);
  };
  return { began, run, letGo: () => letGo.resolve(null) };
}

test('what is asked for is run, once, with its payload', async () => {
  const seen: unknown[] = [];
  const run = async (payload: unknown, { attempt }: JobContext) => {
    await Promise.resolve();
    seen.push({ payload, attempt });
  };
  replica({ run });
  replica({ run });
  await ask({ payload: { n: 1 } }, { payload: { n: 2 } });
  await until('no job is left', async () => (await kept()).length === 0);
  expect(seen).toHaveLength(2);
  expect(seen).toEqual(
    expect.arrayContaining([
      { payload: { n: 1 }, attempt: 1 },
      { payload: { n: 2 }, attempt: 1 },
    ]),
  );
});

test('one that fails is tried again, and in the end kept as failed, and each is logged', async () => {
  const { logged } = replica({
    run: () => Promise.reject(new Error('no such endpoint')),
  });
  await ask({ attemptsMax: 2 });
  await until('it failed', () => logged.some(({ message }) => message.startsWith('a job failed')));
  await until('it waits', async () => (await kept())[0]?.['locked'] === false);
  expect(await kept()).toMatchObject([{ attempts: 1, last_error: 'no such endpoint', due: false }]);
  await query(database.url, 'update graphile_worker._private_jobs set run_at = now()');
  await until('it failed for good', async () => (await kept())[0]?.['attempts'] === 2);
  await until('that is logged', () => logged.some(({ level }) => level === 'error'));
  expect(logged.filter(({ level }) => level === 'warn' || level === 'error')).toMatchObject([
    { level: 'warn', message: 'a job failed and is tried again later', fields: { job: 'work', attempt: 1 } },
    { level: 'error', message: 'a job failed for good', fields: { job: 'work', attempt: 2 } },
  ]);
});

test('of one queue only one runs at a time, on however many replicas', async () => {
  let running = 0;
  let runningMax = 0;
  const run = async () => {
    running += 1;
    runningMax = Math.max(runningMax, running);
    await query(database.url, 'select 1');
    running -= 1;
  };
  replica({ run });
  replica({ run });
  await ask(...Array.from({ length: 10 }, () => ({ queue: 'one' })));
  await until('no job is left', async () => (await kept()).length === 0);
  expect(runningMax).toBe(1);
});

test('a stop lets a job come to its end, and takes no other', async () => {
  const { began, run, letGo } = held(true);
  const stopping = replica({ run });
  await ask({});
  await until('it runs', () => began.length === 1);
  stopping.beginStop();
  await ask({});
  letGo();
  expect(await stopping.stop()).toEqual([]);
  expect(await kept()).toMatchObject([{ attempts: 0, locked: false }]);
});

test('a job that is cut off by a stop is put back, counts no attempt, and runs elsewhere at once', async () => {
  const { began, run } = held(true);
  const stopping = replica({ run });
  await ask({ queue: 'one' });
  await until('it runs', () => began.length === 1);
  expect(await stopping.stop(0)).toEqual([]);
  expect(await kept()).toEqual([
    { attempts: 0, max_attempts: 25, last_error: null, locked: false, due: true },
  ]);
  expect(stopping.logged).toContainEqual(
    expect.objectContaining({
      level: 'info',
      message: 'a job was cut off and put back: it is run again elsewhere',
    }),
  );
  replica({ run: () => Promise.resolve() });
  await until('no job is left', async () => (await kept()).length === 0);
});

test('a job that ends at once is told so when the stop begins', async () => {
  const { began, run } = held(true);
  const stopping = replica({ run, endsAtOnce: true });
  await ask({});
  await until('it runs', () => began.length === 1);
  stopping.beginStop();
  await until('it is put back', async () => (await kept())[0]?.['locked'] === false);
  expect(await kept()).toMatchObject([{ attempts: 0, due: true }]);
});

test('a job that ignores its abort is named, and still its replica’s while that lives', async () => {
  const { began, run, letGo } = held(false);
  const stopping = replica({ run });
  await ask({});
  await until('it runs', () => began.length === 1);
  expect(await stopping.stop(0, 100)).toContain('job work');
  expect(await kept()).toMatchObject([{ locked: true }]);
  letGo();
});
