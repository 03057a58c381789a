import { beforeAll, expect, test } from 'vitest';
import { createTestDatabase } from '../../../test/support/database.ts';
import { startExecutor, wordFor } from '../../../test/support/executors.ts';
import { query } from '../../../test/support/query.ts';
import { postgresSettings } from '../../../test/support/repositories.ts';
import {
  buying,
  consuming,
  granting,
  request,
  selling,
  transferring,
} from '../../../test/support/requests.ts';
import { gold, listing, stockShop, sword } from '../../../test/support/shop.ts';
import { until } from '../../../test/support/until.ts';
import type { Command } from '../../domain/command.ts';
import { PostgresRepository } from './repository.ts';

const hotTables = ['accounts', 'entries', 'holdings', 'operations', 'purchase_counts', 'stock'];
const accounts = Array.from({ length: 200 }, (_, i) => `p${i}`);
const rounds = 20;
let url: string;

/** From empty tables, as in production: whatever is planned now is what the connections keep for good. */
beforeAll(async () => {
  ({ url } = await createTestDatabase());
  const repository = PostgresRepository.open(
    { ...postgresSettings(url, 'under test'), maxTransactionConnections: 4 },
    () => undefined,
  );
  const listings = [
    listing('sale'),
    listing('limited', { limited: true }),
    listing('rationed', { perAccountLimit: 1_000 }),
  ];
  const { executor } = startExecutor(repository, { lanes: 4, batchMax: 8 });
  await stockShop(repository, { assets: [gold, sword], listings, stock: 1_000_000 });
  for (let round = 0; round < rounds; round += 1) {
    const executions = accounts.map((account, i) =>
      executor.execute(request(commandOf(account, round, i), { idempotencyKey: `${round}` })),
    );
    expect(new Set(await Promise.all(executions.map(wordFor)))).toEqual(new Set(['done']));
  }
  const replays = accounts.map((account, i) =>
    executor.execute(request(commandOf(account, 0, i), { idempotencyKey: '0' })),
  );
  expect(new Set(await Promise.all(replays.map(wordFor)))).toEqual(new Set(['replayed']));
  // Sessions hand in their counts when they end.
  await repository.close();
  await until('the sessions have ended', async () => {
    const sessions = `select count(*)::int as count from pg_stat_activity where application_name = 'under test' and datname = current_database()`;
    return (await query(url, sessions)).rows[0]?.['count'] === 0;
  });
}, 60_000);

test('the write path never scans a hot table', async () => {
  const scans = `select relname, seq_scan::int, seq_tup_read::int, n_tup_ins > 0 as written
    from pg_stat_user_tables where relname = any ($1) order by relname`;
  expect((await query(url, scans, [hotTables])).rows).toEqual(
    hotTables.map((relname) => ({ relname, seq_scan: 0, seq_tup_read: 0, written: true })),
  );
});

test('nor a whole index of one: what an operation reads does not grow with the tables', async () => {
  // Rows that live: how many dead ones an index leads to depends on who else holds a transaction open on the server.
  const reads = `select relname, idx_tup_fetch::int as fetched from pg_stat_user_tables
    where relname = any ($1) order by relname`;
  const operations = accounts.length * (rounds + 1);
  const { rows } = await query(url, reads, [hotTables]);
  expect(rows).toHaveLength(hotTables.length);
  // It is between 2 and 4. A scan of one whole index by each small batch would come to 25 and more.
  const many = rows.filter(({ fetched }) => Number(fetched) > 6 * operations);
  expect(many).toEqual([]);
});

/** Everyone is granted something first, and then does each kind of thing in turn. */
function commandOf(account: string, round: number, i: number): Command {
  if (round === 0) return granting(account, { gold: 10_000, sword: 100 });
  switch ((round + i) % 6) {
    case 0:
      return buying(account, 'sale');
    case 1:
      return buying(account, 'limited');
    case 2:
      return buying(account, 'rationed');
    case 3:
      return selling(account, 'sword');
    case 4:
      return consuming(account, { gold: 1 });
    default:
      return transferring(account, accounts[(i * 7 + 1) % accounts.length] ?? '', { gold: 1 });
  }
}
