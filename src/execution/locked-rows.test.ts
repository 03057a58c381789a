import { describe, expect, test } from 'vitest';
import { balancesOf } from '../../test/support/balances.ts';
import { startExecutor, wordFor } from '../../test/support/executors.ts';
import { FaultyRepository } from '../../test/support/faulty-repository.ts';
import { hold } from '../../test/support/held-transaction.ts';
import { replicas, waiting } from '../../test/support/replicas.ts';
import { onEveryRepository } from '../../test/support/repositories.ts';
import { buying, granting, request, transferring } from '../../test/support/requests.ts';
import { gold, listing, openAccounts, stockShop, sword } from '../../test/support/shop.ts';
import { until } from '../../test/support/until.ts';
import type { Command } from '../domain/command.ts';
import type { Repository } from '../repository/repository.ts';

const accounts = Array.from({ length: 64 }, (_, i) => `p${i}`);
const held = 'p32';

/** Longer than a test may take: whoever had to wait for it in vain would fail the test. */
const forever = 60_000;

onEveryRepository((world) => {
  const stock = async (): Promise<[Repository, Repository]> => {
    const [one, two] = await replicas(world(), { lockTimeoutMs: forever });
    await stockShop(one, {
      assets: [gold, sword],
      listings: [listing('limited', { limited: true }), listing('other', { limited: true })],
      stock: 100,
    });
    await openAccounts(one, accounts, { gold: 1_000 });
    return [one, two];
  };

  describe('when a stranger holds one of 64 accounts,', () => {
    test('the others are not made to wait for it, and its own commands get through when it is free', async () => {
      const [one, two] = await stock();
      const { executor, troubles } = startExecutor(one, { lanes: 1, lockTimeoutMs: forever });
      const stranger = await hold(two, (tx) => tx.lockAccounts([held]));
      const executions = new Map(
        accounts.map((account) => [
          account,
          wordFor(executor.execute(request(granting(account, { gold: 1 })))),
        ]),
      );
      const blocked = executions.get(held);
      executions.delete(held);
      // Answered while the stranger still has it: nobody could have waited for that.
      expect(new Set(await Promise.all(executions.values()))).toEqual(new Set(['done']));
      await waiting(world(), 'one', 'two');
      await stranger.commit();
      expect(await blocked).toBe('done');
      expect(troubles).toEqual({ defects: [], failedBatches: [] });
      expect(await balancesOf(one, held)).toEqual({ gold: 1_001 });
    });

    test('its commands are told that it is busy when it stays so', async () => {
      const [one, two] = await stock();
      const { executor } = startExecutor(one, { lanes: 1, batchAccountWaitMs: 20, lockTimeoutMs: 60 });
      const stranger = await hold(two, (tx) => tx.lockAccounts([held]));
      const words = [held, 'p1', held].map((account) =>
        wordFor(executor.execute(request(granting(account, { gold: 1 })))),
      );
      expect(await Promise.all(words)).toEqual(['busy', 'done', 'busy']);
      await stranger.commit();
      expect(await balancesOf(one, held)).toEqual({ gold: 1_000 });
      expect(await wordFor(executor.execute(request(granting(held, { gold: 1 }))))).toBe('done');
    });

    test('later commands for it follow the one that waits, and hold no batch up', async () => {
      const [one, two] = await stock();
      const waits: unknown[] = [];
      const noting = new FaultyRepository({
        repository: one,
        nextFault: ({ accountWaitMs }) => {
          waits.push(accountWaitMs);
          return undefined;
        },
      });
      const { executor } = startExecutor(noting, {
        lanes: 1,
        batchAccountWaitMs: 25,
        lockTimeoutMs: forever,
        patientWorkers: 1,
      });
      const stranger = await hold(two, (tx) => tx.lockAccounts([held]));
      const order: string[] = [];
      const send = async (name: string, command: Parameters<typeof request>[0]): Promise<void> => {
        expect(await wordFor(executor.execute(request(command)))).toBe('done');
        order.push(name);
      };
      const first = send('first', granting(held, { gold: 1 }));
      await waiting(world(), 'one', 'two');
      // It waited in its batch, was passed over, and waits alone now.
      await until('the first one waits alone', () => waits.length === 3);
      const later = [
        send('second', transferring('p1', held, { gold: 1 })),
        send('third', granting(held, { gold: 1 })),
      ];
      await send('a neighbour', granting('p2', { gold: 1 }));
      // The neighbour's batch had nothing in it that is held: it was run once, and no one waited in it.
      expect(waits).toHaveLength(4);
      expect(order).toEqual(['a neighbour']);
      await stranger.commit();
      await Promise.all([first, ...later]);
      expect(order).toEqual(['a neighbour', 'first', 'second', 'third']);
      expect(await balancesOf(one, held)).toEqual({ gold: 1_003 });
    });

    test('that is being created by the stranger, the others are not made to wait either', async () => {
      const [one, two] = await stock();
      const { executor } = startExecutor(one, { lanes: 1, batchAccountWaitMs: 20, lockTimeoutMs: forever });
      const stranger = await hold(two, (tx) => tx.ensureAccounts(['new']));
      const created = wordFor(executor.execute(request(granting('new', { gold: 1 }))));
      const others = accounts
        .slice(0, 8)
        .map((account) => wordFor(executor.execute(request(granting(account, { gold: 1 })))));
      expect(new Set(await Promise.all(others))).toEqual(new Set(['done']));
      await stranger.commit();
      expect(await created).toBe('done');
    });

    test('a command that is broken harms neither the one that waits nor those that do not', async () => {
      const [one, two] = await stock();
      const { executor, troubles } = startExecutor(one, { lanes: 1, batchAccountWaitMs: 20 });
      const stranger = await hold(two, (tx) => tx.lockAccounts([held]));
      const waits = wordFor(executor.execute(request(granting(held, { gold: 1 }))));
      await waiting(world(), 'one', 'two');
      await until('the stranger’s account is waited for alone', async () => {
        return (await wordFor(executor.execute(request(granting('p1', { gold: 1 }))))) === 'done';
      });
      const bug = new Error('a bug in footprint');
      const broken: Command = {
        ...granting('p1', { gold: 1 }),
        footprint: () => {
          throw bug;
        },
      };
      const [follows, fails, passes] = [granting(held, { gold: 1 }), broken, granting('p2', { gold: 1 })].map(
        (command) => wordFor(executor.execute(request(command))),
      );
      expect(await fails).toBe('internal_error');
      expect(await passes).toBe('done');
      expect(troubles.defects).toEqual([bug]);
      await stranger.commit();
      expect([await waits, await follows]).toEqual(['done', 'done']);
      expect(await balancesOf(one, held)).toEqual({ gold: 1_002 });
    });

    test('draining waits for the one that waits alone', async () => {
      const [one, two] = await stock();
      const { executor } = startExecutor(one, { lanes: 1, batchAccountWaitMs: 20, lockTimeoutMs: forever });
      const stranger = await hold(two, (tx) => tx.lockAccounts([held]));
      const blocked = wordFor(executor.execute(request(granting(held, { gold: 1 }))));
      await waiting(world(), 'one', 'two');
      const drained = executor.drain();
      await stranger.commit();
      await drained;
      expect(executor.inFlight).toBe(0);
      expect(await blocked).toBe('done');
    });
  });

  describe('when a stranger holds stock,', () => {
    test('those who want it are told that it is busy, and others are not harmed', async () => {
      const [, two] = await stock();
      const one = world().replica('hasty', { lockTimeoutMs: 40 });
      const { executor, troubles } = startExecutor(one, { lanes: 1 });
      const stranger = await hold(two, (tx) => tx.lockStock(['limited']));
      const words = [
        buying('p1', 'limited'),
        buying('p1', 'other'),
        granting('p1', { gold: 1 }),
        buying('p2', 'limited'),
      ].map((command) => wordFor(executor.execute(request(command))));
      expect(await Promise.all(words)).toEqual(['busy', 'done', 'done', 'busy']);
      await stranger.commit();
      expect(await wordFor(executor.execute(request(buying('p2', 'limited'))))).toBe('done');
      expect(troubles).toEqual({ defects: [], failedBatches: [] });
    });

    test('and it is given back in time, those who want it get it', async () => {
      const [one, two] = await stock();
      const { executor } = startExecutor(one, { lanes: 1 });
      const stranger = await hold(two, (tx) => tx.lockStock(['limited']));
      const word = wordFor(executor.execute(request(buying('p1', 'limited'))));
      await waiting(world(), 'one', 'two');
      await stranger.commit();
      expect(await word).toBe('done');
    });

    test('and another an account, neither harms those who want something else', async () => {
      const [, two, three] = await replicas(world(), { lockTimeoutMs: forever });
      await stock();
      const one = world().replica('hasty', { lockTimeoutMs: 60 });
      const { executor } = startExecutor(one, { lanes: 1, batchAccountWaitMs: 20, lockTimeoutMs: 60 });
      const stockHolder = await hold(two, (tx) => tx.lockStock(['limited']));
      const accountHolder = await hold(three, (tx) => tx.lockAccounts([held]));
      const words = [
        granting(held, { gold: 1 }),
        buying('p1', 'limited'),
        buying('p1', 'other'),
        buying(held, 'limited'),
      ].map((command) => wordFor(executor.execute(request(command))));
      expect(await Promise.all(words)).toEqual(['busy', 'busy', 'done', 'busy']);
      await Promise.all([stockHolder.commit(), accountHolder.commit()]);
    });
  });
});
