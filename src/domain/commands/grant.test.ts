import { expect, test } from 'vitest';
import { account, carryOut, decide, holding, rows } from '../../../test/support/ledgers.ts';
import { granting } from '../../../test/support/requests.ts';
import { asset, catalogOf, gold, sword } from '../../../test/support/shop.ts';
import { commandOf } from '../command.ts';
import { quantityMax } from '../quantity.ts';
import { grant } from './grant.ts';

const potion = asset('potion', { kind: 'item', stackLimit: 5 });
const catalog = catalogOf([gold, sword, potion]);

test('it gives assets out of nothing', () => {
  const there = rows(catalog, {
    accounts: [account('p1', { version: 2 })],
    holdings: [holding('p1', 'gold', 1)],
  });
  expect(carryOut(granting('p1', { sword: 2, gold: 5 }), there).effect).toMatchObject({
    entries: [
      { account: 'p1', asset: 'gold', delta: 5, balance: 6 },
      { account: 'p1', asset: 'sword', delta: 2, balance: 2 },
    ],
    accounts: [{ id: 'p1', version: 3, stacks: 1 }],
  });
});

test('it creates the account if there is none', () => {
  const command = granting('new', { gold: 5 });
  expect(command.home).toBe('new');
  expect(command.footprint(catalog)).toEqual({
    accounts: ['new'],
    creates: ['new'],
    holdings: [{ account: 'new', asset: 'gold' }],
    stock: [],
    purchases: [],
  });
  expect(carryOut(command, rows(catalog)).effect.accounts).toMatchObject([
    { id: 'new', version: 1, declared: false },
  ]);
});

test('it keeps the reason on record, if there is one', () => {
  const assets = [{ asset: 'gold', quantity: 1 }];
  const why = decide(commandOf(grant, { account: 'p1', assets, reason: 'a "gift"' }), rows(catalog));
  expect(why).toMatchObject({ kind: 'accepted', details: { reason: 'a "gift"' } });
  expect(decide(commandOf(grant, { account: 'p1', assets }), rows(catalog))).toMatchObject({ details: {} });
});

test('it is refused for what the catalog does not know, and for what there is no room for', () => {
  const there = rows(catalog, { accounts: [account('p1', { capacity: 1 })] });
  expect(decide(granting('p1', { gold: 1, wood: 1 }), there)).toMatchObject({
    code: 'asset_not_found',
    members: { asset: 'wood' },
  });
  expect(decide(granting('p1', { potion: 6 }), there)).toMatchObject({ code: 'stack_limit_exceeded' });
  expect(decide(granting('p1', { potion: 1, sword: 1 }), there)).toMatchObject({ code: 'capacity_exceeded' });
});

test('lines of the same asset are summed before anything is checked', () => {
  const twice = (quantity: number) =>
    commandOf(grant, {
      account: 'p1',
      assets: [
        { asset: 'potion', quantity },
        { asset: 'potion', quantity },
      ],
    });
  expect(decide(twice(2), rows(catalog))).toMatchObject({ kind: 'accepted' });
  expect(decide(twice(3), rows(catalog))).toMatchObject({ code: 'stack_limit_exceeded' });
  const tooMuch = [
    { asset: 'gold', quantity: quantityMax },
    { asset: 'gold', quantity: 1 },
  ];
  expect(decide(commandOf(grant, { account: 'p1', assets: tooMuch }), rows(catalog))).toMatchObject({
    code: 'quantity_overflow',
  });
});
