import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase } from '../../../test/support/database.ts';
import { hold } from '../../../test/support/held-transaction.ts';
import { query } from '../../../test/support/query.ts';
import { postgresSettings } from '../../../test/support/repositories.ts';
import { listing, openAccounts, stockShop } from '../../../test/support/shop.ts';
import { until } from '../../../test/support/until.ts';
import type { Tx } from '../repository.ts';
import { PostgresRepository } from './repository.ts';

const ids = ['c', 'b', 'a'];
let url: string;
let repository: PostgresRepository;

/*
 * An index happens to give its rows in their order, so the sort in the statements would not be missed until the planner
 * chose otherwise. Here it has to: rows come as they lie in the table, which is the wrong way round.
 */
beforeAll(async () => {
  const database = await createTestDatabase();
  url = database.url;
  await query(url, `alter database ${database.name} set enable_indexscan = off`);
  await query(url, `alter database ${database.name} set enable_indexonlyscan = off`);
  repository = PostgresRepository.open(postgresSettings(url, 'under test'), () => undefined);
  for (const id of ids) {
    await openAccounts(repository, [id]);
    await stockShop(repository, { listings: [listing(id, { limited: true })], stock: 1 });
  }
});

afterAll(async () => await repository.close());

test.each<[string, (tx: Tx, id: readonly string[]) => Promise<unknown>, string]>([
  ['accounts', (tx, of) => tx.lockAccounts(of), 'id'],
  ['stock', (tx, of) => tx.lockStock(of), 'listing'],
])('%s are locked in the order of ids whatever the plan', async (table, lock, column) => {
  const { rows } = await query(url, `select ${column} as id from ${table} order by ctid`);
  expect(rows).toEqual(ids.map((id) => ({ id })));
  const stranger = await hold(repository, (tx) => lock(tx, ['b']));
  const waiter = repository.transaction((tx) => lock(tx, ids));
  await until('it waits', async () => {
    const waits = `select count(*)::int as count from pg_stat_activity
      where wait_event_type = 'Lock' and datname = current_database()`;
    return (await query(url, waits)).rows[0]?.['count'] === 1;
  });
  const free = `select ${column} as id from ${table} order by 1 for update skip locked`;
  expect((await query(url, free)).rows).toEqual([{ id: 'c' }]);
  await stranger.commit();
  await waiter;
});
