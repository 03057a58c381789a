import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Audit } from '../../src/repository/audit.ts';
import { PostgresRepository } from '../../src/repository/postgres/repository.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { startExecutor, wordFor } from '../support/executors.ts';
import { query } from '../support/query.ts';
import { postgresSettings } from '../support/repositories.ts';
import { buying, request, restocking } from '../support/requests.ts';
import { makeSoundLedger } from '../support/sound-ledger.ts';
import { until } from '../support/until.ts';
import { verifierOf } from '../support/verifying.ts';

const { signal } = new AbortController();

let database: TestDatabase;
let repository: PostgresRepository;

beforeEach(async () => {
  database = await createTestDatabase();
  await makeSoundLedger(database);
  repository = PostgresRepository.open(postgresSettings(database.url, 'service'), () => undefined);
});

afterEach(async () => {
  await repository.close();
});

test('a purchase that was numbered and is committed while the feed is read is not passed over', async () => {
  const { audit } = repository;
  expect(await kindsFoundWhileOneLingers(audit)).toEqual([]);
});

test('it would be, and look like a lost update of the stock, if the feed were read to the last position', async () => {
  const { audit } = repository;
  const withoutHorizon: Audit = {
    snapshot: (work) => audit.snapshot(work, signal),
    horizon: () => audit.snapshot((snapshot) => snapshot.lastPosition(), signal),
    estimatedEntries: () => audit.estimatedEntries(),
  };
  expect(await kindsFoundWhileOneLingers(withoutHorizon)).toEqual(['stock_remaining', 'stock_sold']);
});

/** A purchase has its number, a restock of another listing has the next and is there first; then the purchase comes. */
async function kindsFoundWhileOneLingers(audit: Audit): Promise<string[]> {
  const { executor } = startExecutor(repository);
  const obstacle = new pg.Client({ connectionString: database.url });
  await obstacle.connect();
  await obstacle.query('begin; lock table entries in share mode');
  const lingering = wordFor(executor.execute(request(buying('alice', 'limited'))));
  await until('the purchase is numbered and waits to write its entries', async () => {
    const { rows } = await query(
      database.url,
      `select from pg_locks where relation = 'entries'::regclass and not granted`,
    );
    return rows.length === 1;
  });
  expect(await wordFor(executor.execute(request(restocking('refilling', 1))))).toBe('done');

  let snapshots = 0;
  const inTheMiddle: Audit = {
    snapshot: async (work, ...rest) => {
      snapshots += 1;
      // Two for the operations, one for the stock up to the horizon: the next is to show the end of it.
      if (snapshots === 4) {
        await obstacle.query('rollback');
        expect(await lingering).toBe('done');
      }
      return await audit.snapshot(work, ...rest);
    },
    horizon: () => audit.horizon(),
    estimatedEntries: () => audit.estimatedEntries(),
  };
  const { discrepancies } = await verifierOf(inTheMiddle, { pageRows: 1000 }).verify({ signal });
  expect(snapshots).toBeGreaterThan(4);
  await obstacle.end();
  await executor.drain();
  return discrepancies.map(({ kind }) => kind);
}
