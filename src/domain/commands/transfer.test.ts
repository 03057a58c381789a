import { describe, expect, test } from 'vitest';
import { account, carryOut, decide, holding, rows } from '../../../test/support/ledgers.ts';
import { transferring } from '../../../test/support/requests.ts';
import { asset, catalogOf, experience, gold, sword } from '../../../test/support/shop.ts';
import { commandOf } from '../command.ts';
import { quantityMax } from '../quantity.ts';
import { transfer } from './transfer.ts';

const potion = asset('potion', { kind: 'item', stackLimit: 5 });
const catalog = catalogOf([gold, sword, experience, potion]);
const there = rows(catalog, {
  accounts: [account('p1', { version: 2, stacks: 1 }), account('p2', { version: 7 })],
  holdings: [
    holding('p1', 'gold', 10, 4),
    holding('p1', 'sword', 1),
    holding('p1', 'experience', 5),
    holding('p1', 'potion', 9),
    holding('p2', 'gold', 1),
  ],
});

test('it moves assets from one account to another', () => {
  const { effect } = carryOut(transferring('p1', 'p2', { sword: 1, gold: 6 }), there);
  expect(effect).toMatchObject({
    entries: [
      { account: 'p1', asset: 'gold', delta: -6, balance: 4 },
      { account: 'p1', asset: 'sword', delta: -1, balance: 0 },
      { account: 'p2', asset: 'gold', delta: 6, balance: 7 },
      { account: 'p2', asset: 'sword', delta: 1, balance: 1 },
    ],
    accounts: [
      { id: 'p1', version: 3, stacks: 0 },
      { id: 'p2', version: 8, stacks: 1 },
    ],
  });
});

test('it belongs to who gives, and creates who receives', () => {
  const command = transferring('p1', 'new', { gold: 1 });
  expect(command.home).toBe('p1');
  expect(command.footprint(catalog)).toEqual({
    accounts: ['p1', 'new'],
    creates: ['new'],
    holdings: [
      { account: 'p1', asset: 'gold' },
      { account: 'new', asset: 'gold' },
    ],
    stock: [],
    purchases: [],
  });
  expect(carryOut(command, there).effect.accounts).toMatchObject([
    { id: 'new', version: 1 },
    { id: 'p1', version: 3 },
  ]);
});

test('it keeps both sides and the reason on record', () => {
  const input = { from: 'p1', to: 'p2', assets: [{ asset: 'gold', quantity: 1 }], reason: 'rent' };
  expect(decide(commandOf(transfer, input), there)).toMatchObject({
    details: { from: 'p1', to: 'p2', reason: 'rent' },
  });
});

describe('it is refused', () => {
  test.each([
    ['to oneself, whatever else is wrong', transferring('p1', 'p1', { wood: 1 }), 'same_account'],
    ['from an account that does not exist', transferring('none', 'p2', { gold: 1 }), 'account_not_found'],
    ['for an asset that does not exist', transferring('p1', 'p2', { wood: 1 }), 'asset_not_found'],
    ['for what is not tradable', transferring('p1', 'p2', { gold: 1, experience: 1 }), 'not_tradable'],
    ['for more than is available', transferring('p1', 'p2', { gold: 7 }), 'insufficient_balance'],
    ['for more than the receiver may hold', transferring('p1', 'p2', { potion: 6 }), 'stack_limit_exceeded'],
  ])('%s', (_name, command, code) => {
    expect(decide(command, there)).toMatchObject({ kind: 'rejected', code });
  });

  test('when an asset that it names twice is not there twice', () => {
    const assets = [
      { asset: 'gold', quantity: 4 },
      { asset: 'gold', quantity: 4 },
    ];
    expect(decide(commandOf(transfer, { from: 'p1', to: 'p2', assets }), there)).toMatchObject({
      code: 'insufficient_balance',
      members: { required: 8, available: 6 },
    });
  });

  test('to oneself creates nobody', () => {
    expect(transferring('p1', 'p1', { gold: 1 }).footprint(catalog).creates).toEqual([]);
  });

  test('when the receiver’s holding would pass the largest quantity', () => {
    const rich = rows(catalog, {
      accounts: [account('p1'), account('p2')],
      holdings: [holding('p1', 'gold', 2), holding('p2', 'gold', quantityMax - 1)],
    });
    expect(decide(transferring('p1', 'p2', { gold: 2 }), rich)).toMatchObject({
      code: 'quantity_overflow',
      members: { account: 'p2', asset: 'gold' },
    });
  });
});

test('one on record that does not sum to zero is found', () => {
  const entry = (id: string, delta: number) => ({ account: id, asset: 'gold', delta, balance: 9 });
  const receipt = {
    id: 'o1',
    type: 'transfer',
    at: '2026-11-21T10:00:00.000Z',
    actor: 'key:test',
    dryRun: false,
    accounts: {},
    details: { from: 'p1', to: 'p2' },
  };
  const check = (...entries: ReturnType<typeof entry>[]) =>
    transfer.check?.({ home: 'p1', receipt: { ...receipt, entries }, stock: [] });
  expect(check(entry('p1', -3), entry('p2', 3))).toEqual([]);
  expect(check(entry('p1', -3), entry('p2', 4))).toEqual(['its gold sums to 1, not to zero']);
});
