import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts';
import { query } from '../../../test/support/query.ts';
import { enqueueJobs } from './enqueue-jobs.ts';

let database: TestDatabase;
let client: pg.Client;

beforeEach(async () => {
  database = await createTestDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});

afterEach(async () => {
  await client.end();
});

const kept = async () =>
  (
    await query(
      database.url,
      `select jobs.task_identifier as name, private.payload, jobs.queue_name as queue, jobs.key,
         jobs.max_attempts as attempts, jobs.run_at = '2030-01-02T03:04:05.678Z' as later, jobs.run_at <= now() as due
       from graphile_worker.jobs join graphile_worker._private_jobs as private using (id) order by id`,
    )
  ).rows;

test('jobs are kept with the transaction that asks for them, all that was said of them included', async () => {
  await client.query('begin');
  await enqueueJobs(client, [
    { name: 'deliver', payload: { to: 'a', ids: [1, 2] } },
    {
      name: 'deliver',
      payload: {},
      queue: 'endpoint b',
      runAtMs: Date.UTC(2030, 0, 2, 3, 4, 5, 678),
      key: 'b',
      attemptsMax: 3,
    },
  ]);
  expect(await kept()).toEqual([]);
  await client.query('commit');
  expect(await kept()).toEqual([
    {
      name: 'deliver',
      payload: { to: 'a', ids: [1, 2] },
      queue: null,
      key: null,
      attempts: 25,
      later: false,
      due: true,
    },
    { name: 'deliver', payload: {}, queue: 'endpoint b', key: 'b', attempts: 3, later: true, due: false },
  ]);
});

test('with a rollback there are none', async () => {
  await client.query('begin');
  await enqueueJobs(client, [{ name: 'deliver', payload: {} }]);
  await client.query('rollback');
  expect(await kept()).toEqual([]);
});

test('one with the same key takes the place of the one that waits', async () => {
  await enqueueJobs(client, [{ name: 'deliver', payload: { n: 1 }, key: 'one' }]);
  await enqueueJobs(client, [{ name: 'deliver', payload: { n: 2 }, key: 'one' }]);
  expect(await kept()).toMatchObject([{ payload: { n: 2 }, key: 'one' }]);
});

test('whoever listens for jobs is told when they are there, and not before', async () => {
  const heard: string[] = [];
  const listener = new pg.Client({ connectionString: database.url });
  await listener.connect();
  try {
    const first = new Promise<void>((resolve) => {
      listener.on('notification', ({ payload }) => {
        heard.push(payload ?? '');
        resolve();
      });
    });
    await listener.query('listen "jobs:insert"');
    await client.query('begin');
    await enqueueJobs(client, [
      { name: 'deliver', payload: {} },
      { name: 'deliver', payload: {} },
    ]);
    await listener.query('select 1');
    expect(heard).toEqual([]);
    await client.query('commit');
    await first;
    expect(JSON.parse(heard[0] ?? '')).toMatchObject({ count: 2 });
  } finally {
    await listener.end();
  }
});
