import { describe, expect, test } from 'vitest';
import {
  account,
  carryOut,
  decide,
  holding,
  nowMs,
  purchases,
  rows,
  stock,
} from '../../../test/support/ledgers.ts';
import { buying } from '../../../test/support/requests.ts';
import { asset, catalogOf, gold, listing, sword } from '../../../test/support/shop.ts';
import { commandOf } from '../command.ts';
import type { Listing } from '../listing.ts';
import { quantityMax } from '../quantity.ts';
import { purchase, type PurchaseInput } from './purchase.ts';

const potion = asset('potion', { kind: 'item' });

/** One account with 100 gold, one listing, and what else there is. */
function shop(sells: Partial<Listing> = {}, rest: Parameters<typeof rows>[1] = {}) {
  return rows(catalogOf([gold, sword, potion], [listing('sale', sells)]), {
    accounts: [account('p1', { version: 6 })],
    holdings: [holding('p1', 'gold', 100)],
    ...rest,
  });
}

test('it takes the price and gives the goods', () => {
  const { effect, changed } = carryOut(buying('p1', 'sale', 3), shop());
  expect(effect).toEqual({
    atMs: nowMs,
    entries: [
      { account: 'p1', asset: 'gold', delta: -30, balance: 70 },
      { account: 'p1', asset: 'sword', delta: 3, balance: 3 },
    ],
    accounts: [account('p1', { version: 7, stacks: 1, atMs: nowMs })],
    stock: [],
  });
  expect(changed.purchases).toEqual([]);
  expect(decide(buying('p1', 'sale', 3), shop())).toMatchObject({
    details: { listing: 'sale', quantity: 3 },
  });
});

test('of an asset that is in price and goods only the difference counts', () => {
  const price = [{ asset: 'gold', quantity: 60 }];
  const goods = [
    { asset: 'gold', quantity: 20 },
    { asset: 'sword', quantity: 1 },
  ];
  const { effect } = carryOut(buying('p1', 'sale', 2), shop({ price, goods }));
  expect(effect.entries).toEqual([
    { account: 'p1', asset: 'gold', delta: -80, balance: 20 },
    { account: 'p1', asset: 'sword', delta: 2, balance: 2 },
  ]);
  expect(decide(buying('p1', 'sale', 3), shop({ price, goods }))).toMatchObject({
    code: 'insufficient_balance',
    members: { required: 120, available: 100 },
  });
});

test('its footprint has what this listing needs, and nothing that it does not', () => {
  const footprint = (sells: Partial<Listing>) => buying('p1', 'sale').footprint(shop(sells).catalog);
  const holdings = [
    { account: 'p1', asset: 'gold' },
    { account: 'p1', asset: 'sword' },
  ];
  const accounts = ['p1'];
  expect(footprint({})).toEqual({ accounts, creates: [], holdings, stock: [], purchases: [] });
  expect(footprint({ limited: true, perAccountLimit: 1 })).toEqual({
    accounts,
    creates: [],
    holdings,
    stock: ['sale'],
    purchases: [{ account: 'p1', listing: 'sale' }],
  });
  expect(buying('p1', 'none').footprint(shop().catalog)).toEqual({
    accounts,
    creates: [],
    holdings: [],
    stock: [],
    purchases: [],
  });
});

describe('it is refused', () => {
  test('for a listing that does not exist, before the account is looked at', () => {
    expect(decide(buying('none', 'none'), shop())).toMatchObject({
      code: 'listing_not_found',
      members: { listing: 'none' },
    });
  });

  test('for an account that does not exist', () => {
    expect(decide(buying('none', 'sale'), shop())).toMatchObject({ code: 'account_not_found' });
  });

  test('when the price is not there', () => {
    expect(decide(buying('p1', 'sale', 11), shop())).toMatchObject({
      code: 'insufficient_balance',
      members: { asset: 'gold', required: 110, available: 100 },
    });
  });

  test('when price or goods come to more than can be counted', () => {
    const dear = { price: [{ asset: 'gold', quantity: quantityMax }] };
    expect(decide(buying('p1', 'sale', 2), shop(dear))).toMatchObject({ code: 'quantity_overflow' });
    const plenty = { goods: [{ asset: 'sword', quantity: quantityMax }] };
    expect(decide(buying('p1', 'sale', 2), shop(plenty))).toMatchObject({ code: 'quantity_overflow' });
    const lines = [
      { asset: 'gold', quantity: quantityMax },
      { asset: 'gold', quantity: 1 },
    ];
    expect(decide(buying('p1', 'sale'), shop({ price: lines }))).toMatchObject({ code: 'quantity_overflow' });
  });

  test('outside of its times', () => {
    const times = { opensAtMs: nowMs, closesAtMs: nowMs + 1_000 };
    expect(decide(buying('p1', 'sale'), shop(times), nowMs - 1)).toMatchObject({
      code: 'listing_closed',
      members: { listing: 'sale', opensAt: '2026-11-21T10:00:00.000Z', closesAt: '2026-11-21T10:00:01.000Z' },
    });
    expect(decide(buying('p1', 'sale'), shop(times), nowMs)).toMatchObject({ kind: 'accepted' });
    expect(decide(buying('p1', 'sale'), shop(times), nowMs + 999)).toMatchObject({ kind: 'accepted' });
    expect(decide(buying('p1', 'sale'), shop(times), nowMs + 1_000)).toMatchObject({
      code: 'listing_closed',
    });
    expect(decide(buying('p1', 'sale'), shop({ closesAtMs: 0 }))).toMatchObject({
      members: { opensAt: null, closesAt: '1970-01-01T00:00:00.000Z' },
    });
  });
});

describe('an expected price', () => {
  const price = [
    { asset: 'gold', quantity: 10 },
    { asset: 'potion', quantity: 1 },
  ];
  const expecting = (...expectedPrice: PurchaseInput['expectedPrice'] & object) => {
    const there = shop({ price }, { holdings: [holding('p1', 'gold', 100), holding('p1', 'potion', 9)] });
    return decide(commandOf(purchase, { account: 'p1', listing: 'sale', quantity: 1, expectedPrice }), there);
  };

  test('may be written in any order and in any lines', () => {
    const [tenGold, onePotion] = price;
    if (tenGold === undefined || onePotion === undefined) throw new Error('a price of two lines');
    expect(expecting(onePotion, tenGold)).toMatchObject({ kind: 'accepted' });
    expect(
      expecting({ asset: 'gold', quantity: 3 }, onePotion, { asset: 'gold', quantity: 7 }),
    ).toMatchObject({ kind: 'accepted' });
  });

  test.each([
    ['less', [{ asset: 'gold', quantity: 9 }]],
    ['more', [{ asset: 'gold', quantity: 11 }]],
    ['another asset', [{ asset: 'sword', quantity: 10 }]],
    ['nothing', []],
    [
      'so much that sums of it round',
      [
        { asset: 'gold', quantity: quantityMax },
        { asset: 'gold', quantity: quantityMax },
      ],
    ],
  ])('that is another one is refused: %s', (_name, other) => {
    expect(expecting(...other, { asset: 'potion', quantity: 1 })).toMatchObject({
      code: 'price_changed',
      members: { listing: 'sale', price },
    });
  });
});

describe('a limited listing', () => {
  const limited = { limited: true };

  test('sells what is left, and says what is', () => {
    const there = shop(limited, { stock: [stock('sale', 5, { offered: 9 })] });
    const { effect, changed } = carryOut(buying('p1', 'sale', 5), there);
    expect(effect.stock).toEqual([{ listing: 'sale', added: 0, taken: 5, remaining: 0 }]);
    expect(changed.stock).toEqual([stock('sale', 0, { offered: 9 })]);
    expect(decide(buying('p1', 'sale', 6), there)).toMatchObject({
      code: 'out_of_stock',
      detail: 'listing sale has 5 of 6 left',
      members: { listing: 'sale', required: 6, remaining: 5 },
    });
  });

  test('without a stock row has nothing left', () => {
    expect(decide(buying('p1', 'sale'), shop(limited))).toMatchObject({
      code: 'out_of_stock',
      members: { remaining: 0 },
    });
  });

  test('counts the refills that are due, also when nothing came of them', () => {
    const restock = { quantity: 2, everySeconds: 10, max: 6 };
    const refilling = (remaining: number) =>
      shop({ ...limited, restock }, { stock: [stock('sale', remaining, { refilledAtMs: nowMs - 25_000 })] });
    const { effect, changed } = carryOut(buying('p1', 'sale', 4), refilling(1));
    expect(effect.stock).toEqual([{ listing: 'sale', added: 4, taken: 4, remaining: 1 }]);
    expect(changed.stock).toEqual([
      { listing: 'sale', offered: 1, refilled: 4, remaining: 1, refilledAtMs: nowMs - 5_000 },
    ]);
    expect(decide(buying('p1', 'sale', 6), refilling(1))).toMatchObject({
      code: 'out_of_stock',
      members: { remaining: 5 },
    });
    // While it was full, time earned nothing: a purchase now begins a new period.
    expect(carryOut(buying('p1', 'sale', 1), refilling(6)).changed.stock).toEqual([
      { listing: 'sale', offered: 6, refilled: 0, remaining: 5, refilledAtMs: nowMs - 5_000 },
    ]);
  });
});

describe('a limit for each account', () => {
  test('holds for all time without a period', () => {
    const limit = { perAccountLimit: 5 };
    const { changed } = carryOut(buying('p1', 'sale', 5), shop(limit));
    expect(changed.purchases).toEqual([purchases('p1', 'sale', 5, nowMs)]);
    const before = shop(limit, { purchases: [purchases('p1', 'sale', 3, 1)] });
    expect(carryOut(buying('p1', 'sale', 2), before).changed.purchases).toEqual([
      purchases('p1', 'sale', 5, 1),
    ]);
    expect(decide(buying('p1', 'sale', 3), before)).toMatchObject({
      code: 'purchase_limit_reached',
      detail: 'account p1 has bought 3 of at most 5 of listing sale',
      members: { account: 'p1', listing: 'sale', limit: 5, purchased: 3, resetsAt: null },
    });
  });

  test('begins anew with the first purchase after its period', () => {
    const limit = { perAccountLimit: 5, limitPeriodSeconds: 60 };
    const before = (sinceMs: number) => shop(limit, { purchases: [purchases('p1', 'sale', 4, sinceMs)] });
    expect(decide(buying('p1', 'sale', 2), before(nowMs - 59_999))).toMatchObject({
      code: 'purchase_limit_reached',
      detail: 'account p1 has bought 4 of at most 5 of listing sale until 2026-11-21T10:00:00.001Z',
      members: { purchased: 4, resetsAt: '2026-11-21T10:00:00.001Z' },
    });
    expect(carryOut(buying('p1', 'sale', 2), before(nowMs - 60_000)).changed.purchases).toEqual([
      purchases('p1', 'sale', 2, nowMs),
    ]);
    expect(carryOut(buying('p1', 'sale', 1), before(nowMs - 59_999)).changed.purchases).toEqual([
      purchases('p1', 'sale', 5, nowMs - 59_999),
    ]);
  });

  test('that one purchase alone would pass has no moment at which it resets', () => {
    const limit = { perAccountLimit: 5, limitPeriodSeconds: 60 };
    expect(decide(buying('p1', 'sale', 6), shop(limit))).toMatchObject({
      code: 'purchase_limit_reached',
      members: { purchased: 0, resetsAt: null },
    });
  });

  test('with a period that ends after all time never resets', () => {
    const limit = { perAccountLimit: 5, limitPeriodSeconds: quantityMax };
    const before = shop(limit, { purchases: [purchases('p1', 'sale', 5)] });
    expect(decide(buying('p1', 'sale'), before)).toMatchObject({
      code: 'purchase_limit_reached',
      members: { purchased: 5, resetsAt: null },
    });
  });

  test('of the largest number is still exact', () => {
    const limit = { perAccountLimit: quantityMax, price: [], goods: [{ asset: 'sword', quantity: 1 }] };
    const before = shop(limit, { purchases: [purchases('p1', 'sale', quantityMax - 1)] });
    expect(decide(buying('p1', 'sale', 1), before)).toMatchObject({ kind: 'accepted' });
    expect(decide(buying('p1', 'sale', 2), before)).toMatchObject({ code: 'quantity_overflow' });
  });
});

test('one on record that took other stock than it says it bought is found', () => {
  const receipt = {
    id: 'o1',
    type: 'purchase',
    at: '2026-11-21T10:00:00.000Z',
    actor: 'key:test',
    dryRun: false,
    entries: [],
    accounts: {},
    details: { listing: 'sale', quantity: 2 },
  };
  const line = { listing: 'sale', added: 0, taken: 2, remaining: 1 };
  expect(purchase.check?.({ home: 'p1', receipt, stock: [] })).toEqual([]);
  expect(purchase.check?.({ home: 'p1', receipt, stock: [line] })).toEqual([]);
  expect(purchase.check?.({ home: 'p1', receipt, stock: [{ ...line, taken: 3 }] })).toEqual([
    'it took 3 of listing sale, which is not what its details say it bought',
  ]);
  expect(purchase.check?.({ home: 'p1', receipt, stock: [{ ...line, listing: 'other' }] })).toHaveLength(1);
});
