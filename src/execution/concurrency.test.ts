import { describe, expect, test } from 'vitest';
import { startExecutor, wordFor } from '../../test/support/executors.ts';
import { Gate } from '../../test/support/gate.ts';
import { replayLedger } from '../../test/support/replayed-ledger.ts';
import { replicas } from '../../test/support/replicas.ts';
import { onEveryRepository } from '../../test/support/repositories.ts';
import { buying, request, transferring } from '../../test/support/requests.ts';
import { gold, listing, openAccounts, stockShop, sword } from '../../test/support/shop.ts';
import { memoryWithoutLocks } from '../../test/support/without-locks.ts';
import type { Command } from '../domain/command.ts';
import type { Repository } from '../repository/repository.ts';
import type { ExecutorSettings } from './executor.ts';

const accounts = Array.from({ length: 60 }, (_, i) => `p${i}`);
const goldEach = 1_000;
const opening = new Map(accounts.map((account) => [`${account} gold`, goldEach]));
const stock = 100;

onEveryRepository((world) => {
  test('many buyers on three replicas: a limited listing sells what it has, to the unit', async () => {
    const sold = await sellOut(await replicas(world()));
    expect(sold).toEqual({
      words: { done: stock, out_of_stock: 80 },
      remaining: 0,
      swords: stock,
      gold: accounts.length * goldEach - 10 * stock,
      faults: [],
    });
  });

  test.each([
    ['batches wait for each other', 1_000],
    ['batches pass over what others have, and commands wait alone', 1],
  ])(
    'many transfers among a few accounts on three replicas lose nothing: %s',
    async (_name, batchAccountWaitMs) => {
      const [one, two, three] = await replicas(world());
      await openShop(one);
      const few = accounts.slice(0, 4);
      const commands = Array.from({ length: 240 }, (_, i) => {
        const [from, to] = [few[i % 4] ?? '', few[(i + 1 + (i % 3)) % 4] ?? ''];
        return transferring(from, to, { gold: (i % 7) + 1 });
      });
      const words = await executeAtOnce([one, two, three], commands, { batchAccountWaitMs });
      expect(tally(words)).toEqual({ done: 240 });
      const { holdings, versions, faults } = await replayLedger(one, opening);
      expect(faults).toEqual([]);
      expect([...versions.values()].reduce((sum, version) => sum + version, 0)).toBe(2 * 240);
      expect(sumOf(holdings, 'gold')).toBe(accounts.length * goldEach);
    },
  );
});

describe('negative control:', () => {
  // Without this the test above would prove nothing. Each account buys for itself, so only the stock is in dispute.
  test('where nothing is locked, the same buyers are sold what is not there', async () => {
    const unlocked = memoryWithoutLocks();
    const { swords, words } = await sellOut([unlocked, unlocked, unlocked]);
    expect(words['done']).toBe(swords);
    expect(swords).toBeGreaterThan(stock);
  });
});

/** Buys from 180 buyers at the same moment what there are 100 of, and counts what everyone has. */
async function sellOut(repositories: readonly Repository[]): Promise<{
  words: Record<string, number>;
  remaining: number | undefined;
  swords: number;
  gold: number;
  faults: readonly string[];
}> {
  const [first] = repositories;
  if (first === undefined) throw new Error('nobody sells');
  await openShop(first);
  const commands = [...accounts, ...accounts, ...accounts].map((account) => buying(account, 'limited'));
  const words = tally(await executeAtOnce(repositories, commands));
  const { holdings, faults } = await replayLedger(first, opening);
  return {
    words,
    remaining: (await first.listing('limited'))?.stock?.remaining,
    swords: sumOf(holdings, 'sword'),
    gold: sumOf(holdings, 'gold'),
    faults,
  };
}

async function openShop(repository: Repository): Promise<void> {
  const listings = [listing('limited', { limited: true })];
  await stockShop(repository, { assets: [gold, sword], listings, stock });
  await openAccounts(repository, accounts, { gold: goldEach });
}

/** Executes commands on executors of their own in turn, all of them let go by one gate. */
async function executeAtOnce(
  repositories: readonly Repository[],
  commands: readonly Command[],
  settings: Partial<ExecutorSettings> = {},
): Promise<string[]> {
  const executors = repositories.map(
    (repository) => startExecutor(repository, { batchMax: 8, ...settings }).executor,
  );
  const start = new Gate();
  const words = commands.map(async (command, i) => {
    await start.opened;
    const executor = executors[i % executors.length];
    if (executor === undefined) throw new Error('nobody executes');
    return await wordFor(executor.execute(request(command)));
  });
  start.open();
  return await Promise.all(words);
}

function tally(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

function sumOf(holdings: ReadonlyMap<string, number>, asset: string): number {
  return [...holdings].reduce((sum, [key, quantity]) => sum + (key.endsWith(` ${asset}`) ? quantity : 0), 0);
}
