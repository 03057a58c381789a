import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestDatabase } from '../../../test/support/database.ts';
import { operationRecord } from '../../../test/support/operation-records.ts';
import { query } from '../../../test/support/query.ts';
import { postgresSettings } from '../../../test/support/repositories.ts';
import { PostgresRepository } from './repository.ts';
import * as statements from './statements.ts';

let url: string;
let repository: PostgresRepository;
let writer: pg.Client;

beforeEach(async () => {
  ({ url } = await createTestDatabase());
  repository = PostgresRepository.open(postgresSettings(url, 'under test'), () => undefined);
  writer = new pg.Client({ connectionString: url });
  await writer.connect();
});

afterEach(async () => {
  await writer.end();
  await repository.close();
});

test('nobody waits for an announced position, not even who announces the same, and the feed stops before it', async () => {
  const [before, after] = [operationRecord('/listings/a'), operationRecord('/listings/a')];
  await keep(before);
  await writer.query('begin');
  await writer.query(statements.announcePositions.text);
  // A lock timeout in place of a sleep: it would fail if it had to wait.
  const impatient = { ...postgresSettings(url, 'impatient'), lockTimeoutMs: 1 };
  const other = PostgresRepository.open(impatient, () => undefined);
  await other.transaction((tx) => {
    tx.save({ operations: [after] });
    return Promise.resolve();
  });
  await other.close();
  const { rows } = await query(
    url,
    `select granted, mode from pg_locks join pg_database on pg_database.oid = database
     where locktype = 'advisory' and datname = current_database()`,
  );
  expect(rows).toEqual([{ granted: true, mode: 'ShareLock' }]);
  expect(await receipts()).toEqual([before.receipt]);
  await writer.query('rollback');
  expect(await receipts()).toEqual([before.receipt, after.receipt]);
});

test('the lowest of several announcements counts', async () => {
  const records = Array.from({ length: 3 }, () => operationRecord('/listings/a'));
  await keep(records[0]);
  await writer.query('begin');
  await writer.query(statements.announcePositions.text);
  await keep(records[1]);
  const second = new pg.Client({ connectionString: url });
  await second.connect();
  await second.query('begin');
  await second.query(statements.announcePositions.text);
  await keep(records[2]);
  expect(await receipts()).toHaveLength(1);
  await writer.query('commit');
  expect(await receipts()).toHaveLength(2);
  await second.query('commit');
  expect(await receipts()).toHaveLength(3);
  await second.end();
});

test('the advisory locks of others do not hold the feed up', async () => {
  await keep(operationRecord('/listings/a'));
  await writer.query(
    'select pg_advisory_lock(0), pg_advisory_lock(1, 0), pg_advisory_lock(18502::bigint << 32)',
  );
  expect(await receipts()).toHaveLength(1);
});

test('neither do those of another database', async () => {
  const elsewhere = new pg.Client({ connectionString: (await createTestDatabase()).url });
  await elsewhere.connect();
  await elsewhere.query('begin');
  await elsewhere.query(statements.announcePositions.text);
  await keep(operationRecord('/listings/a'));
  expect(await receipts()).toHaveLength(1);
  await elsewhere.end();
});

test('positions beyond 32 bits are announced as well', async () => {
  await query(url, `select setval('operation_position', 4294967296 * 3 + 7)`);
  await writer.query('begin');
  await writer.query(statements.announcePositions.text);
  await keep(operationRecord('/listings/a'));
  expect(await receipts()).toEqual([]);
  await writer.query('rollback');
  expect(await repository.feed(0, 9)).toMatchObject([{ position: 4294967296 * 3 + 8 }]);
});

async function keep(record = operationRecord('/listings/a')): Promise<void> {
  await repository.transaction((tx) => {
    tx.save({ operations: [record] });
    return Promise.resolve();
  });
}

async function receipts(): Promise<string[]> {
  return (await repository.feed(0, 99)).map(({ receipt }) => receipt);
}
