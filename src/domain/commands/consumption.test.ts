import { expect, test } from 'vitest';
import { account, carryOut, decide, holding, rows } from '../../../test/support/ledgers.ts';
import { consuming } from '../../../test/support/requests.ts';
import { catalogOf, gold, sword } from '../../../test/support/shop.ts';
import { commandOf } from '../command.ts';
import { newAccount } from '../ledger.ts';
import { consumption } from './consumption.ts';

const catalog = catalogOf([gold, sword]);
const there = rows(catalog, {
  accounts: [account('p1', { version: 2, stacks: 1 })],
  holdings: [holding('p1', 'gold', 10, 4), holding('p1', 'sword', 1)],
});

test('it takes assets for good', () => {
  expect(carryOut(consuming('p1', { sword: 1, gold: 6 }), there).effect).toMatchObject({
    entries: [
      { account: 'p1', asset: 'gold', delta: -6, balance: 4 },
      { account: 'p1', asset: 'sword', delta: -1, balance: 0 },
    ],
    accounts: [{ id: 'p1', version: 3, stacks: 0 }],
  });
});

test('it creates no account', () => {
  expect(consuming('p1', { gold: 1 }).footprint(catalog)).toMatchObject({ accounts: ['p1'], creates: [] });
  const missing = { code: 'account_not_found', members: { account: 'none' } };
  expect(decide(consuming('none', { gold: 1 }), there)).toMatchObject(missing);
  const onlyEnsured = rows(catalog, { accounts: [newAccount('none')] });
  expect(decide(consuming('none', { gold: 1 }), onlyEnsured)).toMatchObject(missing);
});

test('it is refused for what is not there or reserved', () => {
  expect(decide(consuming('p1', { gold: 7 }), there)).toMatchObject({
    code: 'insufficient_balance',
    members: { account: 'p1', asset: 'gold', required: 7, available: 6 },
  });
  expect(decide(consuming('p1', { wood: 1 }), there)).toMatchObject({ code: 'asset_not_found' });
});

test('it keeps the reason on record', () => {
  const input = { account: 'p1', assets: [{ asset: 'gold', quantity: 1 }], reason: 'tax' };
  expect(decide(commandOf(consumption, input), there)).toMatchObject({ details: { reason: 'tax' } });
});
