import { beforeAll, expect, test } from 'vitest';
import { PostgresRepository } from '../../src/repository/postgres/repository.ts';
import { holdfast } from '../support/command-line.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { operationRecord } from '../support/operation-records.ts';
import { postgresSettings } from '../support/repositories.ts';

let database: TestDatabase;
const operations = [operationRecord('/listings/a'), operationRecord('/listings/a')];

const consumers = async (...args: readonly string[]) => await holdfast(['consumers', ...args], database.url);

beforeAll(async () => {
  database = await createTestDatabase();
  const repository = PostgresRepository.open(postgresSettings(database.url, 'test'), () => undefined);
  await repository.consumers.ensure('ledger-copy', 'beginning');
  await repository.transaction((tx) => {
    tx.save({ operations });
    return Promise.resolve();
  });
  const turn = { consumer: 'ledger-copy', owner: 'host-a:4711', timeoutMs: 30_000 };
  await repository.consumers.take(turn, async (taken) => {
    const [first] = await taken.read(0, 1);
    if (first === undefined) throw new Error('there is an operation');
    taken.park(first, 'it would not fit');
    taken.moveTo(first.position);
  });
  await repository.consumers.noteFailure('ledger-copy', {
    position: 1,
    oneByOneUntil: 0,
    attempts: 2,
    error: 'the printer is on fire',
  });
  await repository.close();
});

test('shows position, lag, owner, what is parked and what is wrong', async () => {
  const { code, output, errors } = await consumers();
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  expect(output).toMatch(/^ledger-copy: at 1, 1 behind \([\d.]+ s\), 1 parked\n/);
  expect(output).toMatch(/ {2}last moved \d{4}-.*Z by host-a:4711\n/);
  expect(output).toMatch(/ {2}failed \d{4}-.*Z, 2 times at one operation: the printer is on fire\n$/);
  const [shown] = JSON.parse((await consumers('--json')).output) as object[];
  expect(shown).toMatchObject({
    name: 'ledger-copy',
    position: 1,
    lag: 1,
    owner: 'host-a:4711',
    parked: 1,
    attempts: 2,
    error: 'the printer is on fire',
  });
});

test('shows what was parked and why, and has it tried again', async () => {
  const [first] = operations;
  const parked = await consumers('parked', 'ledger-copy');
  expect(parked.code).toBe(0);
  expect(parked.output).toMatch(new RegExp(`^${first?.id}  at 1  parked \\d{4}-.*Z: it would not fit\\n$`));
  const retried = await consumers('retry', 'ledger-copy', String(first?.id));
  expect(retried).toMatchObject({ code: 0, errors: expect.stringContaining('tries 1 again') as string });
  expect((await consumers('parked', 'ledger-copy')).output).toContain(
    ', to be tried again: it would not fit',
  );
  expect((await consumers('retry', 'ledger-copy')).code).toBe(0);
});

test('says what is wrong with what it is asked', async () => {
  expect(await consumers('parked', 'nobody')).toMatchObject({
    code: 1,
    errors: 'there is no consumer nobody; there are ledger-copy\n',
  });
  expect(await consumers('retry', 'ledger-copy', 'x')).toMatchObject({
    code: 1,
    errors: 'x is not the id of an operation\n',
  });
  const other = String(operations[1]?.id);
  expect(await consumers('retry', 'ledger-copy', other)).toMatchObject({
    code: 1,
    errors: `ledger-copy has not parked ${other}\n`,
  });
  expect((await consumers('forget', 'ledger-copy')).code).not.toBe(0);
});
