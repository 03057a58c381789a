import { expect, test } from 'vitest';
import { account } from '../../test/support/ledgers.ts';
import { receiptOf } from './receipt.ts';

test('a receipt has the members of the contract, in its order', () => {
  const effect = {
    atMs: Date.UTC(2026, 10, 21, 10, 0, 0, 7),
    entries: [{ account: 'p1', asset: 'gold', delta: -10, balance: 90 }],
    accounts: [account('p1', { version: 7, stacks: 3 })],
    stock: [{ listing: 'sale', added: 0, taken: 1, remaining: 4 }],
  };
  const head = { id: 'o1', type: 'purchase', actor: 'key:shop', dryRun: false, details: { listing: 'sale' } };
  expect(JSON.stringify(receiptOf(head, effect))).toBe(
    '{"id":"o1","type":"purchase","at":"2026-11-21T10:00:00.007Z","actor":"key:shop","dryRun":false,' +
      '"entries":[{"account":"p1","asset":"gold","delta":-10,"balance":90}],' +
      '"accounts":{"p1":{"version":7}},"details":{"listing":"sale"}}',
  );
});
