import { describe, expect, test } from 'vitest';
import { operationRecord } from '../../../test/support/operation-records.ts';
import { asset, listing, openAccounts, rewardRule, stockShop } from '../../../test/support/shop.ts';
import { newAccount } from '../../domain/ledger.ts';
import type { Changes } from '../repository.ts';
import { MemoryRepository } from './memory-repository.ts';

const entry = { account: 'p1', asset: 'gold', version: 1, delta: 1, balance: 1 };
const stock = { listing: 'sale', offered: 1, refilled: 0, remaining: 1, refilledAtMs: 0 };

describe('the fake refuses to save what its transaction has not locked:', () => {
  test.each<[string, Changes, string]>([
    ['an account', { accounts: [newAccount('p1')] }, 'account p1'],
    ['a profile', { profiles: [{ id: 'p1', capacity: null, properties: {} }] }, 'account p1'],
    ['a holding', { holdings: [{ account: 'p1', asset: 'gold', quantity: 1, reserved: 0 }] }, 'account p1'],
    [
      'a purchase count',
      { purchases: [{ account: 'p1', listing: 'sale', count: 1, sinceMs: 0 }] },
      'account p1',
    ],
    ['an entry', { operations: [operationRecord('p1', { entries: [entry] })] }, 'account p1'],
    ['an operation’s key', { operations: [operationRecord('p1')] }, 'account p1'],
    ['the key of a restock', { operations: [operationRecord('/listings/sale')] }, 'stock sale'],
    ['an account that does not exist', { accounts: [newAccount('none')] }, 'account none'],
    ['stock', { stock: [stock] }, 'stock sale'],
    ['new stock', { stock: [{ ...stock, listing: 'new' }] }, 'catalog'],
    ['an asset', { assets: [asset('wood')] }, 'catalog'],
    ['a listing', { listings: [listing('new')] }, 'catalog'],
    ['a reward rule', { rewardRules: [rewardRule('new')] }, 'catalog'],
  ])('%s', async (_name, changes, row) => {
    const repository = new MemoryRepository();
    await stockShop(repository, { listings: [listing('sale', { limited: true })], stock: 1 });
    await openAccounts(repository, ['p1', 'p2']);
    const careless = repository.transaction(async (tx) => {
      // Locking something else does not help.
      await tx.lockAccounts(['p2']);
      tx.save(changes);
    });
    await expect(careless).rejects.toThrow(
      `a save that is guarded by the lock of ${row}, which it does not hold`,
    );
    expect(await repository.feed(0, 9)).toEqual([]);
  });
});
