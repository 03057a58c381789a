import { describe, expect, test } from 'vitest';
import { account, carryOut, decide, holding, rows } from '../../../test/support/ledgers.ts';
import { selling } from '../../../test/support/requests.ts';
import { asset, catalogOf, gold, sword } from '../../../test/support/shop.ts';
import { quantityMax } from '../quantity.ts';

const gem = asset('gem', { sellPrice: [{ asset: 'gold', quantity: quantityMax }] });
const coupon = asset('coupon', {
  kind: 'item',
  sellPrice: [
    { asset: 'gold', quantity: 1 },
    { asset: 'coupon', quantity: 1 },
  ],
});
const catalog = catalogOf([gold, sword, gem, coupon]);
const there = rows(catalog, {
  accounts: [account('p1', { version: 2, stacks: 2 })],
  holdings: [
    holding('p1', 'sword', 3, 1),
    holding('p1', 'gem', 2),
    holding('p1', 'gold', 1),
    holding('p1', 'coupon', 2),
  ],
});

test('it takes what is sold, and pays its price', () => {
  expect(carryOut(selling('p1', 'sword', 2), there).effect).toMatchObject({
    entries: [
      { account: 'p1', asset: 'gold', delta: 8, balance: 9 },
      { account: 'p1', asset: 'sword', delta: -2, balance: 1 },
    ],
    accounts: [{ id: 'p1', version: 3, stacks: 2 }],
  });
});

test('it keeps on record what was sold, and needs the holdings of the price', () => {
  const command = selling('p1', 'sword', 2);
  expect(decide(command, there)).toMatchObject({ details: { asset: 'sword', quantity: 2 } });
  expect(command.footprint(catalog)).toMatchObject({
    accounts: ['p1'],
    creates: [],
    holdings: [
      { account: 'p1', asset: 'sword' },
      { account: 'p1', asset: 'gold' },
    ],
  });
  expect(selling('p1', 'none').footprint(catalog).holdings).toEqual([{ account: 'p1', asset: 'none' }]);
});

test('of an asset that is paid with itself only the difference counts', () => {
  expect(carryOut(selling('p1', 'coupon', 2), there).effect.entries).toEqual([
    { account: 'p1', asset: 'coupon', delta: 0, balance: 2 },
    { account: 'p1', asset: 'gold', delta: 2, balance: 3 },
  ]);
});

describe('it is refused', () => {
  test.each([
    ['for an account that does not exist', selling('none', 'sword'), 'account_not_found'],
    ['for an asset that does not exist', selling('p1', 'wood'), 'asset_not_found'],
    ['for what has no price', selling('p1', 'gold'), 'not_sellable'],
    ['for more than is available', selling('p1', 'sword', 3), 'insufficient_balance'],
    ['when the pay is too much to hold', selling('p1', 'gem', 1), 'quantity_overflow'],
    ['when the pay is too much to count', selling('p1', 'gem', 2), 'quantity_overflow'],
  ])('%s', (_name, command, code) => {
    expect(decide(command, there)).toMatchObject({ kind: 'rejected', code });
  });
});
