import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { missSchedule } from '../../test/support/missed-schedule.ts';
import { query } from '../../test/support/query.ts';
import { until } from '../../test/support/until.ts';
import { enqueueJobs } from '../repository/postgres/enqueue-jobs.ts';

let database: TestDatabase;
let processes: Set<ChildProcess>;

beforeEach(async () => {
  database = await createTestDatabase();
  processes = new Set();
  await query(
    database.url,
    'create table job_notes (n int generated always as identity, pid int, event text, attempt int)',
  );
});

afterEach(async () => {
  for (const child of processes) await kill(child);
});

function start(schedule?: string): ChildProcess {
  const child = fork(
    new URL('../../test/support/job-replica-process.ts', import.meta.url),
    [database.url, ...(schedule === undefined ? [] : [schedule])],
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  );
  processes.add(child);
  return child;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<unknown> {
  processes.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const ended = once(child, 'exit');
  child.kill(signal);
  return (await ended)[0];
}

const kill = async (child: ChildProcess) => await end(child, 'SIGKILL');

interface Note {
  readonly pid: number;
  readonly event: string;
  readonly attempt: number;
}

async function notes(): Promise<readonly Note[]> {
  const { rows } = await query(database.url, 'select pid, event, attempt from job_notes order by n');
  return rows.map(({ pid, event, attempt }) => ({
    pid: Number(pid),
    event: String(event),
    attempt: Number(attempt),
  }));
}

/** Waits until a job was begun so often, and answers by whom last. */
async function begunBy(times: number): Promise<ChildProcess> {
  let pid = 0;
  await until(
    `${times} runs have begun`,
    async () => {
      const begun = (await notes()).filter(({ event }) => event === 'began');
      pid = begun[times - 1]?.pid ?? 0;
      return begun.length >= times;
    },
    45_000,
  );
  const child = [...processes].find((process) => process.pid === pid);
  if (child === undefined) throw new Error(`nobody here is ${pid}`);
  return child;
}

const jobsLeft = async () =>
  (await query(database.url, 'select count(*)::int as jobs from graphile_worker.jobs')).rows[0]?.['jobs'];

const sessions = async () =>
  Number(
    (
      await query(
        database.url,
        `select count(*) as sessions from pg_locks join pg_database on oid = database
         where datname = current_database() and locktype = 'advisory' and objsubid = 2`,
      )
    ).rows[0]?.['sessions'],
  );

async function ask(queue: string): Promise<void> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await enqueueJobs(client, [{ name: 'work', payload: {}, queue }]);
  await client.end();
}

test('the job of a replica that was killed is run again by another, its queue included', async () => {
  for (let i = 0; i < 2; i += 1) start();
  await ask('one');
  const first = await begunBy(1);
  await kill(first);
  const second = await begunBy(2);
  await until('it is done', async () => (await jobsLeft()) === 0);
  expect(await notes()).toEqual([
    { pid: first.pid, event: 'began', attempt: 1 },
    { pid: second.pid, event: 'began', attempt: 2 },
    { pid: second.pid, event: 'done', attempt: 2 },
  ]);
});

test('a replica that stands still keeps its job while those of the dead are run again', async () => {
  const still = start();
  await ask('one');
  expect(await begunBy(1)).toBe(still);
  still.kill('SIGSTOP');
  const doomed = start();
  await ask('another');
  expect(await begunBy(2)).toBe(doomed);
  await kill(doomed);
  const third = start();
  expect(await begunBy(3)).toBe(third);
  await until('the killed one’s job is done', async () => (await jobsLeft()) === 1);
  // The one that stands still was not to be seen for longer than the dead one was, and yet its job is its own.
  expect((await notes()).map(({ pid, attempt }) => ({ pid, attempt }))).toEqual([
    { pid: still.pid, attempt: 1 },
    { pid: doomed.pid, attempt: 1 },
    { pid: third.pid, attempt: 2 },
    { pid: third.pid, attempt: 2 },
  ]);
  still.kill('SIGCONT');
  expect(await end(still, 'SIGTERM')).toBe(0);
  expect(await begunBy(4)).toBe(third);
  expect((await notes()).at(-1)).toEqual({ pid: third.pid, event: 'began', attempt: 1 });
});

test('a schedule fires once for three replicas, and again when the one that runs it is killed', async () => {
  const schedule = await missSchedule(database.url, 'work');
  for (let i = 0; i < 3; i += 1) start(schedule);
  await until('all three are there', async () => (await sessions()) === 3, 30_000);
  const first = await begunBy(1);
  await kill(first);
  const second = await begunBy(2);
  await until('it is done', async () => (await jobsLeft()) === 0);
  for (const child of [...processes]) expect(await end(child, 'SIGTERM')).toBe(0);
  expect(await notes()).toEqual([
    { pid: first.pid, event: 'began', attempt: 1 },
    { pid: second.pid, event: 'began', attempt: 2 },
    { pid: second.pid, event: 'done', attempt: 2 },
  ]);
  expect(await jobsLeft()).toBe(0);
});
