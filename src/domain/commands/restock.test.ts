import { describe, expect, test } from 'vitest';
import { carryOut, decide, nowMs, rows, stock } from '../../../test/support/ledgers.ts';
import { restocking } from '../../../test/support/requests.ts';
import { catalogOf, listing } from '../../../test/support/shop.ts';
import { quantityMax } from '../quantity.ts';

const rule = { quantity: 2, everySeconds: 10, max: 20 };
const catalog = catalogOf(
  [],
  [
    listing('sale', { limited: true }),
    listing('refilling', { limited: true, restock: rule }),
    listing('open'),
  ],
);
const there = rows(catalog, {
  stock: [
    stock('sale', 3, { offered: 10 }),
    stock('refilling', 3, { offered: 10, refilledAtMs: nowMs - 25_000 }),
    stock('open', 3),
  ],
});

test('it offers more units, and leaves more of them', () => {
  const { effect, changed } = carryOut(restocking('sale', 5), there);
  expect(effect).toMatchObject({
    entries: [],
    accounts: [],
    stock: [{ listing: 'sale', added: 5, taken: 0, remaining: 8 }],
  });
  expect(changed.stock).toEqual([stock('sale', 8, { offered: 15 })]);
  expect(decide(restocking('sale', 5), there)).toMatchObject({
    details: { listing: 'sale', quantity: 5, stock: 15, remaining: 8 },
  });
});

test('it counts the refills that are due', () => {
  const { effect, changed } = carryOut(restocking('refilling', 5), there);
  expect(effect.stock).toEqual([{ listing: 'refilling', added: 9, taken: 0, remaining: 12 }]);
  expect(changed.stock).toEqual([
    { listing: 'refilling', offered: 15, refilled: 4, remaining: 12, refilledAtMs: nowMs - 5_000 },
  ]);
  expect(decide(restocking('refilling', 5), there)).toMatchObject({ details: { stock: 15, remaining: 12 } });
});

test('it belongs to the listing, and locks its stock, also while that is unlimited', () => {
  const command = restocking('sale', 1);
  expect(command.home).toBe('/listings/sale');
  expect(command.footprint(catalog)).toEqual({
    accounts: [],
    creates: [],
    holdings: [],
    stock: ['sale'],
    purchases: [],
  });
  expect(restocking('open', 1).footprint(catalog).stock).toEqual(['open']);
  expect(restocking('none', 1).footprint(catalog).stock).toEqual([]);
});

describe('it is refused', () => {
  test.each([
    ['for a listing that does not exist', restocking('none', 1), 'listing_not_found'],
    ['for an unlimited one', restocking('open', 1), 'catalog_conflict'],
    ['when that is more than can be offered', restocking('sale', quantityMax - 9), 'quantity_overflow'],
  ])('%s', (_name, command, code) => {
    expect(decide(command, there)).toMatchObject({ kind: 'rejected', code });
  });

  test('when more would be left than can be counted', () => {
    const plenty = rows(catalog, { stock: [stock('sale', 20, { offered: 0, refilled: 20 })] });
    expect(decide(restocking('sale', quantityMax - 10), plenty)).toMatchObject({ code: 'quantity_overflow' });
  });
});
