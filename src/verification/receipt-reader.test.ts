import { expect, test } from 'vitest';
import { readReceipt, readStockLines } from './receipt-reader.ts';

const receipt = {
  id: '0199a7c2-0000-7000-8000-000000000000',
  type: 'transfer',
  at: '2026-11-21T10:00:00.000Z',
  actor: 'key:test',
  dryRun: false,
  entries: [
    { account: 'a', asset: 'gold', delta: -1, balance: 0 },
    { account: 'a', asset: 'sword', delta: -1, balance: 2 },
    { account: 'b', asset: 'gold', delta: 1, balance: 1 },
  ],
  accounts: { a: { version: 3 }, b: { version: 1 } },
  details: { from: 'a', to: 'b' },
};
const [first, second, third] = receipt.entries;

test('a receipt is read as it is', () => {
  expect(readReceipt(JSON.stringify(receipt))).toEqual(receipt);
});

test.each([
  ['nothing', '', 'it is not an object'],
  ['a list', '[]', 'it is not an object'],
  ['an id that is no text', { id: 1 }, 'its id, type, at or actor is not text'],
  ['no time', { at: undefined }, 'its id, type, at or actor is not text'],
  ['a dryRun of another kind', { dryRun: 'no' }, 'its dryRun is neither true nor false'],
  ['no details', { details: null }, 'its details are not an object'],
  ['no entries', { entries: {} }, 'its entries are not a list of entries'],
  ['an inexact delta', { entries: [{ ...first, delta: 0.5 }] }, 'its entries are not a list of entries'],
  [
    'a balance beyond',
    { entries: [{ ...first, balance: 2 ** 53 }] },
    'its entries are not a list of entries',
  ],
  ['an entry that is none', { entries: [null] }, 'its entries are not a list of entries'],
  ['accounts in a list', { accounts: [] }, 'its accounts are not versions by account'],
  [
    'a version that is none',
    { accounts: { a: { version: '3' } } },
    'its accounts are not versions by account',
  ],
  ['an account without version', { accounts: { a: { version: 3 } } }, 'it has no version of account b'],
  [
    'an account without entries',
    { accounts: { ...receipt.accounts, c: { version: 1 } } },
    'it has a version of an account that it does not touch',
  ],
  [
    'entries in another order',
    { entries: [second, first, third] },
    'its entries are not in the order account, asset',
  ],
  ['an entry twice', { entries: [first, first, third] }, 'its entries are not in the order account, asset'],
])('one with %s is not', (_what, changed, fault) => {
  const text = typeof changed === 'string' ? changed : JSON.stringify({ ...receipt, ...changed });
  expect(readReceipt(text)).toBe(fault);
});

test('stock lines are read as they are, and none where there are none', () => {
  const line = { listing: 'sale', added: 0, taken: 2, remaining: 1 };
  expect(readStockLines(JSON.stringify([line]))).toEqual([line]);
  expect(readStockLines(null)).toEqual([]);
});

test.each(['', '{}', '[1]', '[{"listing":"sale","added":0,"taken":"2","remaining":1}]'])(
  'stock lines such as %s are not',
  (text) => {
    expect(readStockLines(text)).toBeUndefined();
  },
);
