import { expect, test } from 'vitest';
import type { VerificationOutcome } from '../verification/verifications.ts';
import type { JobLog } from './job-log.ts';
import { verifyLedger } from './verify-ledger.ts';

const counts = { accounts: 1, holdings: 1, entries: 1, operations: 1, listings: 0, purchaseCounts: 0 };
const done = (discrepancyCount: number): VerificationOutcome => ({
  kind: 'done',
  record: {
    id: 'v',
    actor: 'schedule',
    startedAtMs: 1,
    finishedAtMs: 3,
    counts,
    discrepancyCount,
    discrepancies: [],
  },
});

function running(outcome: () => Promise<VerificationOutcome>) {
  const logged: unknown[] = [];
  const level = (name: string) => (_fields: object, message: string) => logged.push([name, message]);
  const log: JobLog = {
    debug: level('debug'),
    info: level('info'),
    warn: level('warn'),
    error: level('error'),
  };
  const actors: string[] = [];
  const run = async (actor: string) => {
    actors.push(actor);
    return await outcome();
  };
  const job = verifyLedger({ verifications: { run }, schedule: '0 3 * * *', log });
  return { logged, actors, run: job.run({}, { signal: new AbortController().signal, attempt: 1 }) };
}

test('a sound ledger is told, in the name of the schedule', async () => {
  const { run, logged, actors } = running(() => Promise.resolve(done(0)));
  await run;
  expect(logged).toEqual([['info', 'the scheduled verification found the ledger sound']]);
  expect(actors).toEqual(['schedule']);
});

test('discrepancies are an error in the log, and no failure of the job: it would find them again', async () => {
  const { run, logged } = running(() => Promise.resolve(done(2)));
  await run;
  expect(logged).toEqual([['error', 'the scheduled verification found discrepancies']]);
});

test('one that fails is an error in the log, and is tried again', async () => {
  const { run, logged } = running(() => Promise.reject(new Error('no connection')));
  await expect(run).rejects.toThrow('no connection');
  expect(logged).toEqual([['error', 'the scheduled verification failed']]);
});

test.each(['busy', 'stopping', 'abandoned'] as const)('one that is %s is not done', async (kind) => {
  const { run, logged } = running(() => Promise.resolve({ kind }));
  await expect(run).rejects.toThrow();
  expect(logged).toEqual([]);
});
