import { describe, expect, test } from 'vitest';
import { startExecutor } from '../../../test/support/executors.ts';
import { FaultyRepository } from '../../../test/support/faulty-repository.ts';
import { hold } from '../../../test/support/held-transaction.ts';
import { replayLedger } from '../../../test/support/replayed-ledger.ts';
import { replicas, waiting } from '../../../test/support/replicas.ts';
import { onEveryRepository } from '../../../test/support/repositories.ts';
import { buying, granting, request, selling } from '../../../test/support/requests.ts';
import { alone } from '../../../test/support/consumer-world.ts';
import { feedOperations, handleRewards, ParkingTurn } from '../../../test/support/rewarding.ts';
import {
  asset,
  experience,
  gold,
  listing,
  openAccounts,
  rewardRule,
  stockShop,
  sword,
} from '../../../test/support/shop.ts';
import type { Command } from '../../domain/command.ts';
import type { RewardRule } from '../../domain/reward-rule.ts';
import { MemoryRepository } from '../../repository/memory/memory-repository.ts';
import type { FeedOperation } from '../../repository/consumers.ts';
import type { Repository } from '../../repository/repository.ts';
import { HeldUpError } from '../consumer.ts';
import { Rewards } from './rewards.ts';

const potion = asset('potion', { kind: 'item', stackLimit: 5 });
const assets = [gold, sword, experience, potion];
const listings = [listing('sale'), listing('other')];

/** Opens a shop with these rules, and answers the operations that these commands came to. */
async function earn(
  repository: Repository,
  rewardRules: readonly RewardRule[],
  commands: readonly Command[],
): Promise<FeedOperation[]> {
  await stockShop(repository, { assets, listings, rewardRules });
  await openAccounts(repository, ['p1', 'p2', 'p3'], { gold: 10_000, sword: 100 });
  const { executor } = startExecutor(repository);
  for (const command of commands) await executor.execute(request(command));
  return await feedOperations(repository);
}

async function quantityOf(repository: Repository, account: string, id = 'experience'): Promise<number> {
  const inventory = await repository.inventory(account, { after: null, limit: 1, asset: id });
  return inventory?.holdings[0]?.quantity ?? 0;
}

const purchases = (count: number, account = 'p1') =>
  Array.from({ length: count }, () => buying(account, 'sale'));

onEveryRepository((world) => {
  test('each operation that a rule is about earns its account the grant, and says so', async () => {
    const [one] = await replicas(world());
    const earned = await earn(
      one,
      [
        rewardRule('bought'),
        rewardRule('here', { on: { type: 'purchase', listing: 'other', asset: null } }),
        rewardRule('swords', { on: { type: 'grant', listing: null, asset: 'sword' } }),
        rewardRule('off', { enabled: false }),
      ],
      [
        buying('p1', 'sale'),
        buying('p2', 'other'),
        granting('p3', { sword: 1 }),
        granting('p3', { gold: 1 }),
      ],
    );
    const deps = { repository: one, executor: startExecutor(one).executor };
    expect(await handleRewards(deps, earned)).toEqual(new Map());
    expect(await Promise.all(['p1', 'p2', 'p3'].map((id) => quantityOf(one, id)))).toEqual([10, 20, 10]);
    const rewards = (await feedOperations(one)).slice(earned.length);
    const receipts = rewards.map(({ receipt }) => JSON.parse(receipt) as Record<string, unknown>);
    const byAccount = ['p1', 'p2', 'p3'].map((id) =>
      receipts.filter((_, i) => rewards[i]?.home === id).map(({ details }) => details),
    );
    const detailsOf = (rule: string, i: number) => ({
      rule,
      operation: earned[i]?.id,
      earnedAt: new Date(earned[i]?.atMs ?? 0).toISOString(),
    });
    expect(byAccount).toEqual([
      [detailsOf('bought', 0)],
      [detailsOf('bought', 1), detailsOf('here', 1)],
      [detailsOf('swords', 2)],
    ]);
    for (const receipt of receipts) expect(receipt).toMatchObject({ type: 'reward', actor: 'rewards' });
  });

  test('rewards earn none', async () => {
    const [one] = await replicas(world());
    const on = (type: string) => rewardRule(type, { on: { type, listing: null, asset: null } });
    const earned = await earn(one, [on('purchase'), on('grant')], purchases(2));
    const deps = { repository: one, executor: startExecutor(one).executor };
    await handleRewards(deps, earned);
    const all = await feedOperations(one);
    expect(all.map(({ type }) => type)).toEqual(['purchase', 'purchase', 'reward', 'reward']);
    await handleRewards(deps, all);
    expect(await feedOperations(one)).toEqual(all);
  });

  test('operations that were there before the rule earn nothing', async () => {
    const [one] = await replicas(world());
    const before = await earn(one, [], purchases(3));
    const since = before[1]?.position ?? NaN;
    await stockShop(one, { rewardRules: [rewardRule('late', { since })] });
    await handleRewards({ repository: one, executor: startExecutor(one).executor }, before);
    expect(await quantityOf(one, 'p1')).toBe(10);
  });

  test('a rule that was turned off after the consumer had read it gives nothing, on any replica', async () => {
    const [one, two] = await replicas(world());
    const earned = await earn(one, [rewardRule('r')], purchases(3));
    const { executor } = startExecutor(one);
    const [first, ...others] = earned;
    if (first === undefined) throw new Error('there are three');
    await handleRewards({ repository: one, executor }, [first]);
    await stockShop(two, { rewardRules: [rewardRule('r', { enabled: false })] });
    const reads = { enabledRewardRules: () => Promise.resolve([rewardRule('r')]) };
    expect(await handleRewards({ repository: one, reads, executor }, others)).toEqual(new Map());
    expect(await quantityOf(one, 'p1')).toBe(10);
  });

  test('a page that is repeated, on another replica and with another rule, is granted once', async () => {
    const [one, two] = await replicas(world());
    const earned = await earn(one, [rewardRule('r')], purchases(5));
    // The replica is gone after its grants, and before the cursor was moved.
    await handleRewards({ repository: one, executor: startExecutor(one).executor }, earned);
    await stockShop(two, {
      rewardRules: [rewardRule('r', { grant: [{ asset: 'experience', quantity: 1 }], dailyLimit: 9 })],
    });
    const after = await feedOperations(one);
    expect(await handleRewards({ repository: two, executor: startExecutor(two).executor }, earned)).toEqual(
      new Map(),
    );
    expect(await feedOperations(two)).toEqual(after);
    expect(await quantityOf(two, 'p1')).toBe(50);
  });

  test('a page that three replicas handle at once is granted once', async () => {
    const all = await replicas(world());
    const [one] = all;
    const earned = await earn(one, [rewardRule('r')], [...purchases(20), ...purchases(20, 'p2')]);
    await Promise.all(
      all.map(async (repository) => {
        const { executor } = startExecutor(repository);
        await handleRewards({ repository, executor, atOnceMax: 7 }, earned);
      }),
    );
    expect([await quantityOf(one, 'p1'), await quantityOf(one, 'p2')]).toEqual([200, 200]);
    const opening = new Map(
      ['p1', 'p2', 'p3'].flatMap((id) => [
        [`${id} gold`, 10_000],
        [`${id} sword`, 100],
      ]),
    );
    expect((await replayLedger(one, opening)).faults).toEqual([]);
  });

  test('those of one account are granted in the order of the feed', async () => {
    const [one] = await replicas(world());
    const earned = await earn(one, [rewardRule('r')], purchases(12));
    const { executor } = startExecutor(one, { batchMax: 5 });
    await handleRewards({ repository: one, executor }, earned);
    const rewards = (await feedOperations(one)).slice(earned.length);
    const order = rewards.map(
      ({ receipt }) => (JSON.parse(receipt) as { details: { operation: string } }).details,
    );
    expect(order.map(({ operation }) => operation)).toEqual(earned.map(({ id }) => id));
  });

  describe('a daily limit', () => {
    const limited = rewardRule('r', { dailyLimit: 3 });

    test('holds for each account, and what is beyond it is not parked', async () => {
      const [one] = await replicas(world());
      const earned = await earn(one, [limited], [...purchases(7), ...purchases(2, 'p2')]);
      const deps = { repository: one, executor: startExecutor(one).executor };
      expect(await handleRewards(deps, earned)).toEqual(new Map());
      expect([await quantityOf(one, 'p1'), await quantityOf(one, 'p2')]).toEqual([30, 20]);
    });

    test('holds while several replicas grant, in whatever order, again and again', async () => {
      const all = await replicas(world());
      expect(await grantApart(all)).toBe(30);
    });

    test('is of the day on which the operations were made, also when the page is repeated after midnight', async () => {
      const [one, two] = await replicas(world());
      const midnight = Date.UTC(2026, 10, 22);
      const times = [-4, -3, -2, -1, 0, 1, 2, 3].map((ms) => midnight + ms);
      const earned = (await earn(one, [limited], purchases(8))).map((operation, i) => ({
        ...operation,
        atMs: times[i] ?? NaN,
      }));
      const deps = { repository: one, executor: startExecutor(one).executor };
      await handleRewards(deps, earned);
      const granted = async () => (await feedOperations(two)).filter(({ type }) => type === 'reward');
      const first = await granted();
      const rewarded = first.map(
        ({ receipt }) => (JSON.parse(receipt) as { details: { operation: string } }).details.operation,
      );
      expect(rewarded).toEqual([0, 1, 2, 4, 5, 6].map((i) => earned[i]?.id));
      // Later, singly, backwards, elsewhere: what was refused is refused again.
      const again = { repository: two, executor: startExecutor(two).executor };
      for (const operation of [...earned].reverse()) await handleRewards(again, [operation]);
      expect(await granted()).toEqual(first);
    });
  });

  test('what the rules of the ledger refuse is parked, each operation once, and the rest is granted', async () => {
    const [one] = await replicas(world());
    const two = { asset: 'potion', quantity: 2 };
    const rules = [
      rewardRule('a', { grant: [two] }),
      rewardRule('b', { grant: [two, { asset: 'experience', quantity: 1 }] }),
      rewardRule('xp'),
    ];
    const earned = await earn(one, rules, purchases(2));
    const deps = { repository: one, executor: startExecutor(one).executor };
    const parked = await handleRewards(deps, earned);
    const full = 'account p1 would hold 6 potion, and may hold 5 (stack_limit_exceeded)';
    expect([...parked]).toEqual([[earned[1]?.id, `reward rule a: ${full}; reward rule b: ${full}`]]);
    expect([await quantityOf(one, 'p1', 'potion'), await quantityOf(one, 'p1')]).toEqual([4, 21]);

    // Tried again when there is room for one of them.
    const { executor } = deps;
    await stockShop(one, { assets: [{ ...potion, sellPrice: [{ asset: 'gold', quantity: 1 }] }] });
    await executor.execute(request(selling('p1', 'potion', 1)));
    const [, second] = earned;
    if (second === undefined) throw new Error('there are two');
    expect([...(await handleRewards(deps, [second])).values()]).toEqual([
      'reward rule b: account p1 would hold 7 potion, and may hold 5 (stack_limit_exceeded)',
    ]);
    expect([await quantityOf(one, 'p1', 'potion'), await quantityOf(one, 'p1')]).toEqual([5, 21]);
  });

  test('while an account is locked, whoever aborts the turn need not wait; and nothing is granted twice after it', async () => {
    const [one, two] = await replicas(world());
    const earned = await earn(one, [rewardRule('r')], purchases(3));
    const stranger = await hold(two, async (tx) => await tx.lockAccounts(['p1']));
    const stop = new AbortController();
    const { executor } = startExecutor(one);
    const reads = { enabledRewardRules: () => Promise.resolve([rewardRule('r')]) };
    const rewards = new Rewards({ reads, executor, log: { warn: () => undefined }, atOnceMax: 64 });
    const handle = await rewards.prepare();
    let gaveWay = false;
    const giveWay = (): void => {
      gaveWay = true;
    };
    const handling = handle?.(earned, new ParkingTurn(), { ...alone(stop.signal), giveWay });
    await waiting(world(), 'one', 'two');
    // While it waits, other background work goes on.
    expect(gaveWay).toBe(true);
    stop.abort(new Error('the turn took too long'));
    // No operation is at fault: were it, the last of its attempts would park it.
    await expect(handling).rejects.toThrow(HeldUpError);
    // The next turn does not crowd the executor with the same ones again.
    const next = new AbortController();
    const again = handle?.(earned, new ParkingTurn(), alone(next.signal));
    await new Promise(setImmediate);
    expect(executor.inFlight).toBe(earned.length);
    // So that background work does not yield to itself.
    expect(rewards.inFlight).toBe(earned.length);
    next.abort();
    await expect(again).rejects.toThrow(HeldUpError);
    await stranger.commit();
    await executor.drain();
    expect(rewards.inFlight).toBe(0);
    await handleRewards({ repository: one, executor: startExecutor(one).executor }, earned);
    expect(await quantityOf(one, 'p1')).toBe(30);
  });
});

/** Has three replicas grant what three operations over the limit earn, each a part of them and then all; answers what came of it. */
async function grantApart(all: readonly Repository[]): Promise<number> {
  const [one] = all;
  if (one === undefined) throw new Error('there are some');
  const earned = await earn(one, [rewardRule('r', { dailyLimit: 3 })], purchases(9));
  const grant = async (repository: Repository, operations: readonly FeedOperation[]) =>
    await handleRewards({ repository, executor: startExecutor(repository).executor }, operations);
  await Promise.all(all.map((repository, i) => grant(repository, earned.slice(3 * i, 3 * i + 3))));
  await Promise.all(all.map((repository) => grant(repository, [...earned].reverse())));
  return await quantityOf(one, 'p1');
}

describe('what will pass holds the turn up, and parks nothing:', () => {
  const failing = async (kind: 'unavailable' | 'commit lost') => {
    const repository = new MemoryRepository();
    const earned = await earn(repository, [rewardRule('r')], purchases(3));
    const faulty = new FaultyRepository({ repository, nextFault: () => ({ kind }) });
    return { repository, earned, executor: startExecutor(faulty).executor };
  };

  test.each([
    ['unavailable', 'database_unavailable'],
    ['commit lost', 'outcome_unknown'],
  ] as const)('the database: %s', async (kind, code) => {
    const { repository, earned, executor } = await failing(kind);
    const handling = handleRewards({ repository, executor }, earned);
    await expect(handling).rejects.toThrow(HeldUpError);
    await expect(handling).rejects.toThrow(`rewards can't be granted now: ${code}`);
    expect(await handleRewards({ repository, executor: startExecutor(repository).executor }, earned)).toEqual(
      new Map(),
    );
    expect(await quantityOf(repository, 'p1')).toBe(30);
  });

  test('a commit that was kept though its answer was lost is not made again', async () => {
    const repository = new MemoryRepository();
    const earned = await earn(repository, [rewardRule('r')], purchases(3));
    const faults = [{ kind: 'commit kept' }] as const;
    let attempts = 0;
    const faulty = new FaultyRepository({ repository, nextFault: () => faults[attempts++] });
    await handleRewards({ repository, executor: startExecutor(faulty).executor }, earned);
    expect(await quantityOf(repository, 'p1')).toBe(30);
  });

  test('a service that is full, and one that is stopping', async () => {
    const repository = new MemoryRepository();
    const earned = await earn(repository, [rewardRule('r')], purchases(3));
    const { executor } = startExecutor(repository, { queueMax: 2 });
    await expect(handleRewards({ repository, executor }, earned)).rejects.toThrow(
      "rewards can't be granted now: overloaded",
    );
    expect(await handleRewards({ repository, executor, atOnceMax: 2 }, earned)).toEqual(new Map());
    expect(await quantityOf(repository, 'p1')).toBe(30);
    await executor.drain();
    await expect(handleRewards({ repository, executor }, earned)).rejects.toThrow(
      "rewards can't be granted now: shutting_down",
    );
  });
});

test('what is a defect is no reason to wait: the operation that it is about is to be found', async () => {
  const repository = new MemoryRepository();
  const earned = await earn(repository, [rewardRule('r')], purchases(1));
  const broken = earned.map((operation) => ({ ...operation, receipt: 'no receipt' }));
  const { executor } = startExecutor(repository);
  const handling = handleRewards({ repository, executor }, broken);
  await expect(handling).rejects.toThrow(SyntaxError);
  await expect(handling).rejects.not.toThrow(HeldUpError);
});

test('it has something to do while there is a rule that is enabled', async () => {
  const repository = new MemoryRepository();
  const { executor } = startExecutor(repository);
  const rewards = new Rewards({ reads: repository, executor, log: { warn: () => undefined }, atOnceMax: 1 });
  expect(await rewards.prepare()).toBeNull();
  await stockShop(repository, { assets, rewardRules: [rewardRule('r', { enabled: false })] });
  expect(await rewards.prepare()).toBeNull();
  await stockShop(repository, { rewardRules: [rewardRule('r')] });
  expect(await rewards.prepare()).not.toBeNull();
});
