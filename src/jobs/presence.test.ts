import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { JobReplica } from '../../test/support/job-replica.ts';
import { query } from '../../test/support/query.ts';
import { TcpProxy } from '../../test/support/tcp-proxy.ts';
import { until } from '../../test/support/until.ts';
import { enqueueJobs } from '../repository/postgres/enqueue-jobs.ts';
import type { JobRequest } from '../repository/jobs.ts';
import type { JobContext } from './job.ts';
import { Presence } from './presence.ts';

let database: TestDatabase;
let replicas: JobReplica[];
let proxy: TcpProxy;

const times = { lookEveryMs: 50, missingMs: 400, surrenderMs: 300 };

beforeEach(async () => {
  database = await createTestDatabase();
  proxy = await TcpProxy.before(database.url);
  replicas = [];
});

afterEach(async () => {
  proxy.traffic = {};
  for (const replica of replicas) {
    await replica.stop(0);
    await replica.close();
  }
  await proxy.close();
});

/** Begins, and goes on until it is told to end. */
function replica(url: string, began: JobContext[]): JobReplica {
  const run = async (_payload: unknown, context: JobContext): Promise<void> => {
    began.push(context);
    await new Promise<never>((_resolve, reject) => {
      context.signal.addEventListener('abort', () => {
        reject(new Error('told to end'));
      });
    });
  };
  const started = new JobReplica(url, [{ name: 'work', attemptsMax: 3, run }], { times });
  replicas.push(started);
  return started;
}

async function ask(jobs: readonly JobRequest[] = [{ name: 'work', payload: {} }]): Promise<void> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await enqueueJobs(client, jobs);
  await client.end();
}

const sessions = `
  select pid from pg_locks join pg_database on oid = database
  where datname = current_database() and locktype = 'advisory' and objsubid = 2`;
const owner = async () =>
  (await query(database.url, 'select locked_by from graphile_worker.jobs')).rows[0]?.['locked_by'];

test('whoever loses its session gets another one, and keeps its job', async () => {
  const began: JobContext[] = [];
  const mine = replica(database.url, began);
  await ask();
  await until('it runs', () => began.length === 1);
  const before = await owner();
  const { rows } = await query(database.url, sessions);
  expect(rows).toHaveLength(1);
  await query(database.url, 'select pg_terminate_backend($1)', [rows[0]?.['pid']]);
  await until('it has another session', async () => {
    const now = await query(database.url, sessions);
    return now.rows.length === 1 && now.rows[0]?.['pid'] !== rows[0]?.['pid'];
  });
  // Someone who looks for the dead, and takes a dead one's job, leaves this one alone.
  await ask();
  await query(
    database.url,
    `update graphile_worker._private_jobs set locked_by = 'a dead one', locked_at = now(), attempts = 1
     where locked_by is null`,
  );
  const other: JobContext[] = [];
  replica(database.url, other);
  await until('the dead one’s job is taken', () => began.length + other.length === 2);
  expect(began[0]?.signal.aborted).toBe(false);
  expect(
    (await query(database.url, 'select 1 from graphile_worker.jobs where locked_by = $1', [before])).rows,
  ).not.toEqual([]);
  expect(mine.logged).toContainEqual(
    expect.objectContaining({ message: 'the session that keeps jobs was lost: opening another' }),
  );
});

test('whoever can’t reach the database ends its job before another takes it', async () => {
  const began: JobContext[] = [];
  const cutOff = replica(proxy.url(database.url), began);
  await ask();
  await until('it runs', () => began.length === 1);
  const other: JobContext[] = [];
  // Silence, as of a network that has gone: nothing passes, and nothing is closed on this side.
  proxy.traffic = { request: () => null, answer: () => null };
  await until('it has given its job up', () => began[0]?.signal.aborted === true);
  expect(other).toEqual([]);
  expect(cutOff.logged).toContainEqual(
    expect.objectContaining({ message: 'jobs under way are given up: the database was out of reach' }),
  );
  // The server learns that it is gone.
  proxy.cutAll();
  replica(database.url, other);
  await until('another runs it', () => other.length === 1);
  expect(other[0]?.attempt).toBe(2);
});

test('a job whose replica died at the last attempt is kept as failed, and that is logged', async () => {
  await ask();
  await query(
    database.url,
    `update graphile_worker._private_jobs set locked_by = 'a dead one', locked_at = now(), attempts = max_attempts`,
  );
  const { logged, owners } = replica(database.url, []);
  await until('it is logged', () => logged.some(({ message }) => message.startsWith('a job is given up')));
  // A machine that is busy may also be told of as a database that is out of reach.
  expect(logged.filter(({ message }) => message.startsWith('a job '))).toMatchObject([
    {
      message: 'a job is given up: its replica died at the last attempt',
      fields: { job: 'work', owner: 'a dead one' },
    },
  ]);
  expect((await query(database.url, 'select last_error, locked_by from graphile_worker.jobs')).rows).toEqual([
    { last_error: 'its replica died', locked_by: null },
  ]);
  expect(await owners.figures(10)).toEqual({ waiting: 0, running: 0, failed: 1 });
});

test('a job that was asked for again under its key is not put back when its replica died, and is no failure: the other runs', async () => {
  const keyed = { name: 'work', payload: {}, queue: 'one', key: 'one' };
  await ask([keyed]);
  await query(
    database.url,
    `with taken as (update graphile_worker._private_jobs set locked_by = 'a dead one', locked_at = now(), attempts = 1)
     update graphile_worker._private_job_queues set locked_by = 'a dead one', locked_at = now()`,
  );
  await ask([keyed]);
  const began: JobContext[] = [];
  const { logged } = replica(database.url, began);
  await until('the other runs', () => began.length === 1);
  expect(began[0]?.attempt).toBe(1);
  expect((await query(database.url, 'select key, attempts from graphile_worker.jobs')).rows).toEqual([
    { key: 'one', attempts: 1 },
  ]);
  expect(logged.filter(({ message }) => message.startsWith('a job '))).toEqual([]);
});

test('a job that runs for hours is not taken away from the living', async () => {
  const began: JobContext[] = [];
  replica(database.url, began);
  await ask();
  await until('it runs', () => began.length === 1);
  await query(
    database.url,
    `update graphile_worker._private_jobs set locked_at = now() - interval '3 hours'`,
  );
  await until(
    'it is younger',
    async () =>
      (
        await query(
          database.url,
          `select 1 from graphile_worker.jobs where locked_at > now() - interval '1 hour'`,
        )
      ).rows.length === 1,
  );
});

test('an outage is logged once, however often another session is tried for; the next outage again', async () => {
  const ended = new AbortController();
  const logged: string[] = [];
  const say = (_fields: object, message: string): void => {
    logged.push(message);
  };
  let entering = 0;
  const presence = new Presence({
    owner: 'me',
    owners: {
      enter: () => {
        entering += 1;
        if (entering === 7) ended.abort();
        // A session that is lost as soon as it was used, between two outages.
        if (entering !== 4) return Promise.reject(new Error('the database is away'));
        const missing = () => Promise.reject(new Error('the session is lost'));
        return Promise.resolve({ missing, release: () => Promise.resolve([]), end: () => undefined });
      },
      giveBack: () => Promise.resolve(),
      figures: () => Promise.resolve({ waiting: 0, running: 0, failed: 0 }),
    },
    log: { debug: say, info: say, warn: say, error: say },
    times: { lookEveryMs: 4, missingMs: 10_000, surrenderMs: 10_000 },
  });
  await presence.run(ended.signal);
  expect(entering).toBe(7);
  const lost = 'the session that keeps jobs was lost: opening another';
  expect(logged).toEqual([lost, lost]);
});
