import { expect, test } from 'vitest';
import { createTestDatabase } from '../../test/support/database.ts';
import { startExecutor, wordFor } from '../../test/support/executors.ts';
import { replayLedger } from '../../test/support/replayed-ledger.ts';
import { postgresSettings } from '../../test/support/repositories.ts';
import { granting, request, transferring } from '../../test/support/requests.ts';
import { gold, openAccounts, stockShop } from '../../test/support/shop.ts';
import { TcpProxy, type Link } from '../../test/support/tcp-proxy.ts';
import { PostgresRepository } from '../repository/postgres/repository.ts';

const accounts = Array.from({ length: 8 }, (_, i) => `p${i}`);
const rounds = 15;

test('on PostgreSQL, whatever commit loses its connection: every operation is answered, and applied once', async () => {
  const { url } = await createTestDatabase();
  const direct = PostgresRepository.open(postgresSettings(url, 'direct'), () => undefined);
  await stockShop(direct, { assets: [gold] });
  await openAccounts(direct, accounts, { gold: 100 });
  const proxy = await TcpProxy.before(url);
  const cut = breakCommits(proxy);
  const repository = PostgresRepository.open(postgresSettings(proxy.url(url), 'cut off'), () => undefined);
  const { executor, troubles } = startExecutor(repository, { lanes: 3 });

  for (let round = 0; round < rounds; round += 1) {
    const words = accounts.map((account, i) => {
      const other = accounts[(i + round + 1) % accounts.length] ?? '';
      const command =
        account === other ? granting(account, { gold: 1 }) : transferring(account, other, { gold: 1 });
      return wordFor(executor.execute(request(command, { idempotencyKey: `k${round}` })));
    });
    expect(await Promise.all(words)).toEqual(accounts.map(() => 'done'));
  }

  expect(cut.before).toBeGreaterThan(3);
  expect(cut.after).toBeGreaterThan(3);
  expect(troubles.defects).toEqual([]);
  const { receipts, faults } = await replayLedger(
    direct,
    new Map(accounts.map((account) => [`${account} gold`, 100])),
  );
  expect(faults).toEqual([]);
  expect(receipts).toHaveLength(rounds * accounts.length);
  await Promise.all([repository.close(), direct.close()]);
  await proxy.close();
});

/**
 * Of every eight commits one is cut off before it gets through, and one after it was carried out: too few for any
 * command to meet more of them than it may be tried again.
 */
function breakCommits(proxy: TcpProxy): { before: number; after: number } {
  const cut = { before: 0, after: 0 };
  const muted = new Set<Link>();
  let commits = 0;
  proxy.traffic = {
    request: (chunk, link) => {
      if (!chunk.includes('holdfast_commit')) return chunk;
      commits += 1;
      if (commits % 8 === 1) {
        cut.before += 1;
        link.cut();
        return null;
      }
      if (commits % 8 === 2) muted.add(link);
      return chunk;
    },
    answer: (chunk, link) => {
      if (!muted.has(link)) return chunk;
      if (!chunk.includes('COMMIT')) return null;
      cut.after += 1;
      muted.delete(link);
      link.cut();
      return null;
    },
  };
  return cut;
}
