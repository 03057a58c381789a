import { describe, expect, test } from 'vitest';
import { ledgerFor, nowMs, rows, stock } from '../../test/support/ledgers.ts';
import { restocking } from '../../test/support/requests.ts';
import { catalogOf, listing } from '../../test/support/shop.ts';
import type { Listing } from './listing.ts';
import { offer, type ListingInput } from './offer.ts';
import { quantityMax } from './quantity.ts';
import type { Stock } from './stock.ts';

const rule = { quantity: 2, everySeconds: 10, max: 20 };

/** What a client puts, with this much stock. */
function input(amount: number | null | undefined, rest: Partial<Listing> = {}): ListingInput {
  return { ...listing('sale', rest), stock: amount };
}

/** The stock row after an offer, by the ledger that keeps it. */
function stockAfter(
  put: ListingInput,
  before: { listing: Listing | undefined; stock: Stock | undefined },
): Stock | undefined {
  const made = offer(put, before, nowMs);
  if (made.kind === 'rejected') throw new Error(`it was rejected: ${made.code}`);
  const there = before.stock === undefined ? [] : [before.stock];
  const ledger = ledgerFor(restocking('sale', 1), rows(catalogOf([], [made.listing]), { stock: there }));
  ledger.apply(made.changes, nowMs);
  return ledger.stock('sale');
}

const limited = listing('sale', { limited: true });
const sold3of10 = stock('sale', 7, { offered: 10 });

describe('putting a listing', () => {
  test('without stock: a new one is unlimited, another stays as it was', () => {
    const nothing = { listing: undefined, stock: undefined };
    expect(offer(input(undefined), nothing, nowMs)).toEqual({
      kind: 'offer',
      listing: listing('sale'),
      changes: [],
    });
    expect(offer(input(undefined), { listing: limited, stock: sold3of10 }, nowMs)).toEqual({
      kind: 'offer',
      listing: limited,
      changes: [],
    });
    expect(offer(input(undefined), { listing: listing('sale'), stock: sold3of10 }, nowMs)).toMatchObject({
      listing: { limited: false },
      changes: [],
    });
  });

  test('with stock: the stock comes to be, even if it is none', () => {
    const nothing = { listing: undefined, stock: undefined };
    expect(offer(input(5), nothing, nowMs)).toEqual({
      kind: 'offer',
      listing: limited,
      changes: [{ kind: 'add-stock', listing: 'sale', quantity: 5 }],
    });
    expect(stockAfter(input(5), nothing)).toEqual(stock('sale', 5));
    expect(stockAfter(input(0), nothing)).toEqual(stock('sale', 0));
  });

  test('with the same stock again changes nothing', () => {
    expect(offer(input(10), { listing: limited, stock: sold3of10 }, nowMs)).toMatchObject({ changes: [] });
  });

  test('with another stock adds or withdraws the difference', () => {
    const before = { listing: limited, stock: sold3of10 };
    expect(stockAfter(input(14), before)).toEqual({ ...sold3of10, offered: 14, remaining: 11 });
    expect(stockAfter(input(3), before)).toEqual({ ...sold3of10, offered: 3, remaining: 0 });
  });

  test('with less stock than was sold is refused', () => {
    expect(offer(input(2), { listing: limited, stock: sold3of10 }, nowMs)).toMatchObject({
      kind: 'rejected',
      code: 'catalog_conflict',
      members: { listing: 'sale', sold: 3 },
    });
  });

  test('with null makes it unlimited; what was sold stays sold when it is limited again', () => {
    const before = { listing: limited, stock: sold3of10 };
    expect(offer(input(null), before, nowMs)).toEqual({
      kind: 'offer',
      listing: listing('sale'),
      changes: [],
    });
    expect(stockAfter(input(10), { listing: listing('sale'), stock: sold3of10 })).toEqual(sold3of10);
    expect(offer(input(2), { listing: listing('sale'), stock: sold3of10 }, nowMs)).toMatchObject({
      code: 'catalog_conflict',
    });
  });

  test('that is unlimited and refills itself is refused', () => {
    for (const amount of [null, undefined]) {
      const put = offer(input(amount, { restock: rule }), { listing: undefined, stock: undefined }, nowMs);
      expect(put).toMatchObject({ code: 'catalog_conflict', members: { listing: 'sale' } });
    }
  });

  test('with more stock than can be counted is refused', () => {
    const refilled = stock('sale', 10, { offered: 0, refilled: 10 });
    expect(offer(input(quantityMax), { listing: limited, stock: refilled }, nowMs)).toMatchObject({
      code: 'quantity_overflow',
    });
  });
});

describe('refills, when a listing is put', () => {
  const refilling = listing('sale', { limited: true, restock: rule });
  const before = { listing: refilling, stock: { ...sold3of10, refilledAtMs: nowMs - 25_000 } };

  test('are counted, and the rule goes on from where it was if it is the same', () => {
    expect(stockAfter(input(10, { restock: { ...rule } }), before)).toEqual({
      listing: 'sale',
      offered: 10,
      refilled: 4,
      remaining: 11,
      refilledAtMs: nowMs - 5_000,
    });
  });

  test.each([
    ['another quantity', { ...rule, quantity: 3 }],
    ['another period', { ...rule, everySeconds: 20 }],
    ['another bound', { ...rule, max: 30 }],
    ['no rule any more', null],
  ])('are counted, and a new rule begins now: %s', (_name, restock) => {
    expect(stockAfter(input(10, { restock }), before)).toMatchObject({
      refilled: 4,
      remaining: 11,
      refilledAtMs: nowMs,
    });
  });

  test('of a rule that was not there before begin now', () => {
    const old = { listing: limited, stock: { ...sold3of10, refilledAtMs: nowMs - 25_000 } };
    expect(stockAfter(input(10, { restock: rule }), old)).toMatchObject({ refilled: 0, refilledAtMs: nowMs });
  });
});
