import { describe, expect, test } from 'vitest';
import type { Account } from '../../src/domain/account.ts';
import { quantityMax } from '../../src/domain/quantity.ts';
import { ConstraintError, DuplicateError, LockTimeoutError } from '../../src/repository/errors.ts';
import type { Changes, Repository, Tx } from '../../src/repository/repository.ts';
import { hold } from '../support/held-transaction.ts';
import { operationRecord } from '../support/operation-records.ts';
import { replicas } from '../support/replicas.ts';
import { onEveryRepository } from '../support/repositories.ts';
import { asset, listing, openAccounts, stockShop } from '../support/shop.ts';

const p1: Account = { id: 'p1', version: 1, declared: true, capacity: null, stacks: 0, atMs: null };
const fiveGold = { account: 'p1', asset: 'gold', quantity: 5, reserved: 0 };
const someStock = { listing: 'sale', offered: 5, refilled: 2, remaining: 6, refilledAtMs: 0 };

onEveryRepository((world) => {
  test('a throw takes everything back, and is passed on as it is', async () => {
    const [one] = await replicas(world());
    await openAccounts(one, ['p1']);
    const thrown = new Error('on second thoughts');
    const given = one.transaction(async (tx) => {
      await Promise.all([tx.ensureAccounts(['new']), tx.lockAccounts(['p1', 'new'])]);
      tx.save({ holdings: [fiveGold], operations: [operationRecord('p1')] });
      throw thrown;
    });
    await expect(given).rejects.toBe(thrown);
    expect(await kept(one)).toEqual(nothing);
    expect(await one.transaction((tx) => tx.lockAccounts(['new']))).toEqual([]);
  });

  test('what the work answers comes back when all of it is kept', async () => {
    const [one] = await replicas(world());
    await openAccounts(one, ['p1']);
    const answer = await one.transaction(async (tx) => {
      await tx.lockAccounts(['p1']);
      tx.save({ holdings: [fiveGold] });
      return 'the answer';
    });
    expect(answer).toBe('the answer');
    expect(await kept(one)).toEqual({ ...nothing, gold: 5 });
  });

  test('after a call has failed the others fail with its error, and nothing is kept even if that is ignored', async () => {
    const [one, two] = await replicas(world());
    await openAccounts(one, ['p1', 'p2']);
    const stranger = await hold(one, (tx) => tx.lockAccounts(['p2']));
    const errors: unknown[] = [];
    const careless = two.transaction(
      async (tx) => {
        await Promise.all([tx.ensureAccounts(['new']), tx.lockAccounts(['p1'])]);
        tx.save({ holdings: [fiveGold] });
        const together = await Promise.allSettled([
          tx.lockAccounts(['p2']),
          tx.now(),
          tx.lockStock(['sale']),
        ]);
        const later = await Promise.allSettled([tx.holdings([{ account: 'p1', asset: 'gold' }])]);
        for (const outcome of [...together, ...later]) {
          errors.push(outcome.status === 'rejected' ? outcome.reason : outcome.value);
        }
      },
      { accountWaitMs: 20 },
    );
    await expect(careless).rejects.toThrow(LockTimeoutError);
    const [first] = errors;
    expect(first).toMatchObject({ name: 'LockTimeoutError', rows: 'accounts' });
    expect(errors).toEqual([first, first, first, first]);
    await stranger.commit();
    expect(await kept(one)).toEqual(nothing);
    expect(await one.transaction((tx) => tx.lockAccounts(['new']))).toEqual([]);
  });

  test('a call that nobody awaits makes the transaction fail as well', async () => {
    const [one, two] = await replicas(world());
    await openAccounts(one, ['p1', 'p2']);
    const stranger = await hold(one, (tx) => tx.lockAccounts(['p2']));
    const floating: Promise<unknown>[] = [];
    const careless = two.transaction(
      async (tx) => {
        await tx.lockAccounts(['p1']);
        tx.save({ holdings: [fiveGold] });
        floating.push(tx.lockAccounts(['p2']).catch((error: unknown) => error));
      },
      { accountWaitMs: 20 },
    );
    await expect(careless).rejects.toThrow(LockTimeoutError);
    expect(await Promise.all(floating)).toEqual([expect.any(LockTimeoutError)]);
    await stranger.commit();
    expect(await kept(one)).toEqual(nothing);
  });

  test('a transaction that has ended is good for nothing', async () => {
    const [one, two] = await replicas(world());
    await openAccounts(one, ['p1']);
    let committed: Tx | undefined;
    let rolledBack: Tx | undefined;
    await one.transaction((tx) => {
      committed = tx;
      return Promise.resolve();
    });
    const failing = one.transaction((tx) => {
      rolledBack = tx;
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    for (const tx of [committed, rolledBack]) {
      if (tx === undefined) throw new Error('there was no transaction');
      await expect(tx.ensureAccounts(['new'])).rejects.toThrow('the transaction has ended');
      await expect(tx.lockAccounts(['p1'])).rejects.toThrow('the transaction has ended');
      await expect(tx.lockCatalog()).rejects.toThrow('the transaction has ended');
      await expect(tx.now()).rejects.toThrow('the transaction has ended');
      expect(() => tx.save({ holdings: [fiveGold] })).toThrow('the transaction has ended');
    }
    const found = await two.transaction((tx) => tx.lockFreeAccounts(['p1', 'new']));
    expect({ ...found, accounts: found.accounts.map(({ id }) => id) }).toEqual({
      accounts: ['p1'],
      taken: [],
    });
  });

  describe('a save that breaks a constraint fails, and so does everything saved with it:', () => {
    const entry = { account: 'p1', asset: 'gold', delta: 1, balance: 1, version: 1 };
    const withEntry = (rest: Partial<typeof entry>): Changes => ({
      operations: [operationRecord('p1', { entries: [{ ...entry, ...rest }] })],
    });
    test.each<[string, Changes]>([
      ['a negative version', { accounts: [{ ...p1, version: -1 }] }],
      ['a version beyond the largest', { accounts: [{ ...p1, version: quantityMax + 1 }] }],
      ['a version that is no integer', { accounts: [{ ...p1, version: 1.5 }] }],
      ['a negative number of stacks', { accounts: [{ ...p1, stacks: -1 }] }],
      ['stacks beyond the largest number', { accounts: [{ ...p1, stacks: quantityMax + 1 }] }],
      ['a negative capacity', { profiles: [{ id: 'p1', capacity: -1, properties: {} }] }],
      ['a negative quantity', { holdings: [{ ...fiveGold, quantity: -1 }] }],
      ['a quantity beyond the largest', { holdings: [{ ...fiveGold, quantity: quantityMax + 1 }] }],
      ['a quantity that is none', { holdings: [{ ...fiveGold, quantity: NaN }] }],
      ['more reserved than owned', { holdings: [{ ...fiveGold, reserved: 6 }] }],
      ['less reserved than nothing', { holdings: [{ ...fiveGold, reserved: -1 }] }],
      ['less stock offered than nothing', { stock: [{ ...someStock, offered: -1, remaining: 0 }] }],
      ['less refilled than nothing', { stock: [{ ...someStock, refilled: -1, remaining: 0 }] }],
      ['more remaining than was offered and refilled', { stock: [{ ...someStock, remaining: 8 }] }],
      ['less remaining than nothing', { stock: [{ ...someStock, remaining: -1 }] }],
      ['stock beyond the largest number', { stock: [{ ...someStock, offered: quantityMax + 1 }] }],
      [
        'less bought than nothing',
        { purchases: [{ account: 'p1', listing: 'sale', count: -1, sinceMs: 0 }] },
      ],
      ['an entry at version 0', withEntry({ version: 0 })],
      ['an entry with a negative balance', withEntry({ balance: -1 })],
      ['an entry that moves more than the largest quantity', withEntry({ delta: quantityMax + 1 })],
      ['an operation without a UUID', { operations: [operationRecord('p1', { id: 'p1' })] }],
      ['a receipt that is no JSON', { operations: [operationRecord('p1', { receipt: 'no JSON' })] }],
      ['a stack limit of nothing', { assets: [asset('gold', { stackLimit: 0 })] }],
      [
        'a stack limit beyond the largest number',
        { assets: [asset('gold', { stackLimit: quantityMax + 1 })] },
      ],
      ['a purchase limit of nothing', { listings: [listing('sale', { perAccountLimit: 0 })] }],
      ['a period of no time', { listings: [listing('sale', { perAccountLimit: 1, limitPeriodSeconds: 0 })] }],
    ])('%s', async (_name, broken) => {
      const [one] = await replicas(world());
      await openAccounts(one, ['p1']);
      await stockShop(one, { listings: [listing('sale', { limited: true })], stock: 1 });
      await expect(saveAll(one, broken)).rejects.toThrow(ConstraintError);
      expect(await kept(one)).toEqual({ ...nothing, catalogVersion: 2 });
    });
  });

  describe('a row that must be unique and was there already fails, and so does everything saved with it:', () => {
    const first = operationRecord('p1', {
      idempotencyKey: 'k',
      entries: [{ account: 'p1', asset: 'gold', delta: 1, balance: 1, version: 1 }],
    });
    const { home, actor, idempotencyKey, entries } = first;
    test.each([
      ['a key of the same home and actor', operationRecord(home, { actor, idempotencyKey })],
      ['an operation’s id', operationRecord(home, { id: first.id })],
      ['an entry of the same account, version and asset', operationRecord(home, { entries })],
    ])('%s', async (_name, second) => {
      const [one] = await replicas(world());
      await openAccounts(one, ['p1']);
      await one.transaction(async (tx) => {
        await tx.lockAccounts(['p1']);
        tx.save({ operations: [first] });
      });
      await expect(saveAll(one, { operations: [second] })).rejects.toThrow(DuplicateError);
      expect(await kept(one)).toEqual({ ...nothing, operations: 1 });
    });

    test('within one save', async () => {
      const [one] = await replicas(world());
      await openAccounts(one, ['p1']);
      const twice = [first, operationRecord(home, { actor, idempotencyKey })];
      await expect(saveAll(one, { operations: twice })).rejects.toThrow(DuplicateError);
      expect(await kept(one)).toEqual(nothing);
    });

    test('the same key of another home or actor is another key', async () => {
      const [one] = await replicas(world());
      await openAccounts(one, ['p1', 'p2']);
      await saveAll(one, {
        operations: [
          operationRecord('p1', { actor: 'key:a', idempotencyKey: 'k' }),
          operationRecord('p1', { actor: 'key:b', idempotencyKey: 'k' }),
          operationRecord('p2', { actor: 'key:a', idempotencyKey: 'k' }),
          operationRecord('p1', { actor: 'key:a', idempotencyKey: 'K' }),
        ],
      });
      expect(await kept(one)).toEqual({ ...nothing, gold: 5, operations: 4 });
    });
  });

  test('a transaction after one that failed starts clean', async () => {
    const [one] = await replicas(world());
    await openAccounts(one, ['p1']);
    await expect(saveAll(one, { holdings: [{ ...fiveGold, quantity: -1 }] })).rejects.toThrow(
      ConstraintError,
    );
    await saveAll(one, { operations: [operationRecord('p1')] });
    expect(await kept(one)).toEqual({ ...nothing, gold: 5, operations: 1 });
  });
});

/** Saves changes behind others that are in order, in one call and in one of its own. */
async function saveAll(repository: Repository, changes: Changes): Promise<void> {
  await repository.transaction(async (tx) => {
    await tx.lockCatalog();
    await tx.lockAccounts(['p1', 'p2']);
    await tx.lockStock(['sale']);
    tx.save({ holdings: [fiveGold] });
    tx.save(changes);
  });
}

const nothing = { gold: 0, version: 0, stock: 1, operations: 0, catalogVersion: 1, listings: 0 };

/** What there is now of everything that the tests try to save. */
async function kept(repository: Repository): Promise<typeof nothing> {
  const [holding] = await repository.transaction((tx) => tx.holdings([{ account: 'p1', asset: 'gold' }]));
  const [account] = await repository.transaction((tx) => tx.lockAccounts(['p1']));
  const [stock] = await repository.transaction((tx) => tx.lockStock(['sale']));
  const catalog = await repository.catalog();
  return {
    gold: holding?.quantity ?? 0,
    version: account?.version ?? 0,
    stock: stock?.remaining ?? 1,
    operations: (await repository.feed(0, 10)).length,
    catalogVersion: catalog.version,
    listings: [...catalog.listings.values()].filter(({ perAccountLimit }) => perAccountLimit !== null).length,
  };
}
