import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { account, holding, ledgerFor, rows } from '../../test/support/ledgers.ts';
import { asset, catalogOf, gold, sword } from '../../test/support/shop.ts';
import { newAccount, type Ledger } from './ledger.ts';
import { quantityMax } from './quantity.ts';
import { isRejection, postings, settle, type Posting } from './settlement.ts';

const shield = asset('shield', { kind: 'item' });
const potion = asset('potion', { kind: 'item', stackLimit: 10 });
const catalog = catalogOf([gold, sword, shield, potion]);

/** A ledger over all of this, for whoever settles. */
function ledgerOf(there: Parameters<typeof rows>[1]): Ledger {
  const everything = {
    type: 'test',
    home: 'p1',
    footprint: () => ({
      accounts: ['p1', 'p2'],
      creates: [],
      holdings: ['p1', 'p2'].flatMap((id) =>
        [...catalog.assets.keys()].map((assetId) => ({ account: id, asset: assetId })),
      ),
      stock: [],
      purchases: [],
    }),
    decide: () => {
      throw new Error('nothing is decided here');
    },
  };
  return ledgerFor(everything, rows(catalog, there));
}

const move = (id: string, assetId: string, delta: number): Posting => ({
  account: id,
  asset: assetId,
  delta,
});

describe('postings of the same holding count as one', () => {
  test('in whatever lines and order they come', () => {
    const ledger = ledgerOf({ accounts: [account('p1')], holdings: [holding('p1', 'gold', 5)] });
    const moves = settle(ledger, [
      move('p2', 'sword', 1),
      move('p1', 'gold', -8),
      move('p1', 'sword', 2),
      move('p1', 'gold', 3),
      move('p2', 'gold', 4),
    ]);
    expect(moves).toEqual([
      { kind: 'move', account: 'p1', asset: 'gold', delta: -5 },
      { kind: 'move', account: 'p1', asset: 'sword', delta: 2 },
      { kind: 'move', account: 'p2', asset: 'gold', delta: 4 },
      { kind: 'move', account: 'p2', asset: 'sword', delta: 1 },
    ]);
  });

  test('also where they cancel out', () => {
    const moves = settle(ledgerOf({}), [move('p1', 'gold', -7), move('p1', 'gold', 7)]);
    expect(moves).toEqual([{ kind: 'move', account: 'p1', asset: 'gold', delta: 0 }]);
  });

  test('so what is taken twice must be there twice', () => {
    const ledger = ledgerOf({ accounts: [account('p1')], holdings: [holding('p1', 'gold', 9)] });
    expect(settle(ledger, [move('p1', 'gold', -5), move('p1', 'gold', -5)])).toMatchObject({
      code: 'insufficient_balance',
      members: { account: 'p1', asset: 'gold', required: 10, available: 9 },
    });
  });
});

describe('taking', () => {
  const ledger = ledgerOf({ accounts: [account('p1')], holdings: [holding('p1', 'gold', 9, 4)] });

  test('spares what is reserved', () => {
    expect(isRejection(settle(ledger, [move('p1', 'gold', -5)]))).toBe(false);
    expect(settle(ledger, [move('p1', 'gold', -6)])).toMatchObject({
      code: 'insufficient_balance',
      detail: 'account p1 has 5 of 6 gold',
      members: { account: 'p1', asset: 'gold', required: 6, available: 5 },
    });
  });

  test('is looked at before giving', () => {
    const both = [move('p1', 'potion', 11), move('p1', 'sword', -1)];
    expect(settle(ledger, both)).toMatchObject({ code: 'insufficient_balance' });
  });
});

describe('giving', () => {
  test('stops at the stack limit', () => {
    const ledger = ledgerOf({ accounts: [account('p1')], holdings: [holding('p1', 'potion', 8)] });
    expect(isRejection(settle(ledger, [move('p1', 'potion', 2)]))).toBe(false);
    expect(settle(ledger, [move('p1', 'potion', 3)])).toMatchObject({
      code: 'stack_limit_exceeded',
      members: { account: 'p1', asset: 'potion', stackLimit: 10, required: 11 },
    });
  });

  test('more than a stack limit that was lowered is no reason to keep it from shrinking', () => {
    const ledger = ledgerOf({ accounts: [account('p1')], holdings: [holding('p1', 'potion', 50)] });
    expect(isRejection(settle(ledger, [move('p1', 'potion', -1)]))).toBe(false);
    expect(settle(ledger, [move('p1', 'potion', 1)])).toMatchObject({ code: 'stack_limit_exceeded' });
  });

  test('stops at the largest quantity', () => {
    const ledger = ledgerOf({
      accounts: [account('p1')],
      holdings: [holding('p1', 'gold', quantityMax - 1)],
    });
    expect(isRejection(settle(ledger, [move('p1', 'gold', 1)]))).toBe(false);
    expect(settle(ledger, [move('p1', 'gold', 2)])).toMatchObject({
      code: 'quantity_overflow',
      members: { account: 'p1', asset: 'gold' },
    });
  });
});

describe('the capacity of an account', () => {
  const full = account('p1', { capacity: 2, stacks: 2 });
  const holdings = [holding('p1', 'sword', 1), holding('p1', 'shield', 3)];

  test('is a bound on stacks of items, not on their size, and not on currencies', () => {
    const ledger = ledgerOf({ accounts: [full], holdings });
    expect(isRejection(settle(ledger, [move('p1', 'sword', 5), move('p1', 'gold', 5)]))).toBe(false);
    expect(settle(ledger, [move('p1', 'potion', 1)])).toMatchObject({
      code: 'capacity_exceeded',
      members: { account: 'p1', capacity: 2, required: 3 },
    });
  });

  test('lets one stack go for another', () => {
    const ledger = ledgerOf({ accounts: [full], holdings });
    expect(isRejection(settle(ledger, [move('p1', 'sword', -1), move('p1', 'potion', 1)]))).toBe(false);
    expect(settle(ledger, [move('p1', 'shield', -1), move('p1', 'potion', 1)])).toMatchObject({
      code: 'capacity_exceeded',
    });
  });

  test('that was lowered lets nothing be added, and anything be exchanged', () => {
    const ledger = ledgerOf({ accounts: [{ ...full, capacity: 1 }], holdings });
    expect(isRejection(settle(ledger, [move('p1', 'sword', -1), move('p1', 'potion', 1)]))).toBe(false);
    expect(isRejection(settle(ledger, [move('p1', 'sword', 1)]))).toBe(false);
    expect(settle(ledger, [move('p1', 'potion', 1)])).toMatchObject({
      code: 'capacity_exceeded',
      members: { capacity: 1, required: 3 },
    });
  });

  test('that is none is no bound', () => {
    const ledger = ledgerOf({ accounts: [account('p1', { stacks: 2 })], holdings });
    expect(isRejection(settle(ledger, [move('p1', 'potion', 1)]))).toBe(false);
  });
});

describe('sums and products beyond the largest quantity', () => {
  test('a product is refused', () => {
    expect(postings('p1', [{ asset: 'gold', quantity: quantityMax }], 1)).toEqual([
      { account: 'p1', asset: 'gold', delta: quantityMax },
    ]);
    for (const units of [2, -2, quantityMax, -quantityMax]) {
      expect(postings('p1', [{ asset: 'gold', quantity: quantityMax }], units)).toMatchObject({
        code: 'quantity_overflow',
        members: { account: 'p1', asset: 'gold' },
      });
    }
    expect(postings('p1', [{ asset: 'gold', quantity: 94906267 }], 94906267)).toMatchObject({
      code: 'quantity_overflow',
    });
    expect(postings('p1', [{ asset: 'gold', quantity: 94906265 }], 94906265)).toEqual([
      { account: 'p1', asset: 'gold', delta: 9007199136250225 },
    ]);
  });

  test('a sum is either what exact arithmetic says, or refused: never rounded, in whatever order and combination', () => {
    const nearby = fc.integer({ min: 0, max: 3 }).map((less) => quantityMax - less);
    const anyDelta = fc
      .tuple(fc.oneof(nearby, fc.integer({ min: 0, max: 5 }), fc.maxSafeNat()), fc.boolean())
      .map(([size, taken]) => (taken ? -size : size));
    const property = fc.property(
      fc.array(anyDelta, { minLength: 1, maxLength: 6 }),
      fc.oneof(nearby, fc.maxSafeNat(), fc.constant(0)),
      (deltas, owned) => {
        const ledger = ledgerOf({ accounts: [account('p1')], holdings: [holding('p1', 'gold', owned)] });
        const settled = settle(
          ledger,
          deltas.map((delta) => move('p1', 'gold', delta)),
        );
        const exact = deltas.reduce((sum, delta) => sum + BigInt(delta), 0n);
        const after = BigInt(owned) + exact;
        if (isRejection(settled)) {
          const [lowest, highest] = bounds(deltas);
          const inRange = lowest >= -quantityMax && highest <= quantityMax;
          // Where no sum on the way leaves the range, only what can't be is refused.
          if (inRange) expect(after < 0n || after > BigInt(quantityMax)).toBe(true);
          return;
        }
        expect(after >= 0n && after <= BigInt(quantityMax)).toBe(true);
        const [first] = settled;
        expect(first?.kind === 'move' && BigInt(first.delta)).toBe(exact);
        expect(ledger.apply(settled, 0).entries).toEqual([
          { account: 'p1', asset: 'gold', delta: Number(exact), balance: Number(after) },
        ]);
      },
    );
    fc.assert(property, { numRuns: 2_000 });
  });
});

test('an account that is not there yet counts as one without anything', () => {
  expect(settle(ledgerOf({}), [move('p2', 'sword', 1)])).toEqual([
    { kind: 'move', account: 'p2', asset: 'sword', delta: 1 },
  ]);
  expect(newAccount('p2')).toEqual({
    id: 'p2',
    version: 0,
    declared: false,
    capacity: null,
    stacks: 0,
    atMs: null,
  });
});

/** The lowest and the highest that the sum gets on its way. */
function bounds(deltas: readonly number[]): [bigint, bigint] {
  let sum = 0n;
  let [lowest, highest] = [0n, 0n];
  for (const delta of deltas) {
    sum += BigInt(delta);
    if (sum < lowest) lowest = sum;
    if (sum > highest) highest = sum;
  }
  return [lowest, highest];
}
