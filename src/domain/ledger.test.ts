import { describe, expect, test } from 'vitest';
import { account, holding, nowMs, purchases, rows, stock } from '../../test/support/ledgers.ts';
import { asset, catalogOf, gold, sword } from '../../test/support/shop.ts';
import type { Change } from './change.ts';
import { Ledger, newAccount } from './ledger.ts';
import { quantityMax } from './quantity.ts';

const catalog = catalogOf([gold, sword, asset('experience', { kind: 'stat' })]);
const footprint = {
  accounts: ['p1', 'p2'],
  creates: [],
  holdings: ['p1', 'p2'].flatMap((id) =>
    ['gold', 'sword', 'experience'].map((assetId) => ({ account: id, asset: assetId })),
  ),
  stock: ['sale', 'none'],
  purchases: [{ account: 'p1', listing: 'sale' }],
};
const there = rows(catalog, {
  accounts: [account('p1', { version: 4, stacks: 1, atMs: nowMs - 5 })],
  holdings: [holding('p1', 'gold', 10, 3), holding('p1', 'sword', 1)],
  stock: [stock('sale', 5)],
  purchases: [purchases('p1', 'sale', 2)],
});

function load(): Ledger {
  return Ledger.load(catalog, footprint, there);
}

const move = (id: string, assetId: string, delta: number): Change => ({
  kind: 'move',
  account: id,
  asset: assetId,
  delta,
});

describe('a ledger', () => {
  test('shows the rows that were read, and what is missing as missing', () => {
    const ledger = load();
    expect(ledger.account('p1')).toMatchObject({ version: 4 });
    expect(ledger.account('p2')).toBeUndefined();
    expect(ledger.holding('p1', 'gold')).toEqual(holding('p1', 'gold', 10, 3));
    expect(ledger.holding('p2', 'gold')).toEqual(holding('p2', 'gold', 0));
    expect(ledger.stock('sale')).toEqual(stock('sale', 5));
    expect(ledger.stock('none')).toBeUndefined();
    expect(ledger.purchases('p1', 'sale')).toEqual(purchases('p1', 'sale', 2));
    expect(ledger.changed()).toEqual({ accounts: [], holdings: [], stock: [], purchases: [] });
  });

  test('shows no account that was only ensured', () => {
    const ledger = Ledger.load(catalog, footprint, { ...there, accounts: [newAccount('p2')] });
    expect(ledger.account('p2')).toBeUndefined();
    expect(Ledger.load(catalog, footprint, { ...there, accounts: [account('p2')] }).account('p2')).toEqual(
      account('p2'),
    );
  });

  test('throws for a row outside of its footprint: it was not locked', () => {
    const ledger = load().fork();
    expect(() => ledger.account('p3')).toThrow('account p3 is not in the command');
    expect(() => ledger.holding('p3', 'gold')).toThrow('holding p3 gold is not in the command');
    expect(() => ledger.holding('p1', 'wood')).toThrow('holding p1 wood is not in the command');
    expect(() => ledger.stock('other')).toThrow('stock other is not in the command');
    expect(() => ledger.purchases('p2', 'sale')).toThrow('purchase count p2 sale is not in the command');
  });
});

describe('applying the changes of an operation', () => {
  test('says what it did in the order account, asset, and touches each account once', () => {
    const ledger = load();
    const effect = ledger.apply(
      [
        move('p2', 'sword', 2),
        move('p1', 'gold', -3),
        { kind: 'take-stock', listing: 'sale', quantity: 2 },
        move('p1', 'gold', -4),
        move('p1', 'experience', 9),
        { kind: 'count-purchases', account: 'p1', listing: 'sale', count: 4, sinceMs: 7 },
      ],
      nowMs,
    );
    expect(effect).toEqual({
      atMs: nowMs,
      entries: [
        { account: 'p1', asset: 'experience', delta: 9, balance: 9 },
        { account: 'p1', asset: 'gold', delta: -7, balance: 3 },
        { account: 'p2', asset: 'sword', delta: 2, balance: 2 },
      ],
      accounts: [
        account('p1', { version: 5, stacks: 1, atMs: nowMs }),
        { ...newAccount('p2'), version: 1, stacks: 1, atMs: nowMs },
      ],
      stock: [{ listing: 'sale', added: 0, taken: 2, remaining: 3 }],
    });
    expect(ledger.changed()).toEqual({
      accounts: effect.accounts,
      holdings: [holding('p1', 'experience', 9), holding('p1', 'gold', 3, 3), holding('p2', 'sword', 2)],
      stock: [{ ...stock('sale', 5), remaining: 3 }],
      purchases: [purchases('p1', 'sale', 4, 7)],
    });
  });

  test('counts stacks of items as they come and go, and nothing else', () => {
    const ledger = load();
    const stacksAfter = (...changes: Change[]) => ledger.apply(changes, nowMs).accounts[0]?.stacks;
    expect(stacksAfter(move('p1', 'sword', 4))).toBe(1);
    expect(stacksAfter(move('p1', 'sword', -5))).toBe(0);
    expect(stacksAfter(move('p1', 'sword', 0))).toBe(0);
    expect(stacksAfter(move('p1', 'gold', -7), move('p1', 'experience', 5))).toBe(0);
    expect(stacksAfter(move('p1', 'sword', 1))).toBe(1);
  });

  test('never goes back in time for an account', () => {
    const ledger = load();
    expect(ledger.apply([move('p1', 'gold', 1)], nowMs - 1_000).atMs).toBe(nowMs - 5);
    expect(ledger.apply([move('p2', 'gold', 1)], nowMs - 2_000).atMs).toBe(nowMs - 2_000);
    const both = ledger.apply([move('p1', 'gold', 1), move('p2', 'gold', 1)], nowMs - 3_000);
    expect(both.atMs).toBe(nowMs - 5);
    expect(both.accounts.map(({ atMs }) => atMs)).toEqual([nowMs - 5, nowMs - 5]);
  });

  test('creates stock, adds to it, withdraws from it and refills it', () => {
    const ledger = load();
    const add = (listing: string, quantity: number): Change => ({ kind: 'add-stock', listing, quantity });
    expect(ledger.apply([add('none', 4)], nowMs).stock).toEqual([
      { listing: 'none', added: 4, taken: 0, remaining: 4 },
    ]);
    expect(ledger.stock('none')).toEqual(stock('none', 4));
    ledger.apply([add('sale', 2), add('sale', -3)], nowMs);
    expect(ledger.stock('sale')).toEqual(stock('sale', 4));
    const refill: Change = { kind: 'refill-stock', listing: 'sale', quantity: 6, refilledAtMs: nowMs + 1 };
    const lines = ledger.apply([refill, { kind: 'take-stock', listing: 'sale', quantity: 9 }], nowMs).stock;
    expect(lines).toEqual([{ listing: 'sale', added: 6, taken: 9, remaining: 1 }]);
    expect(ledger.stock('sale')).toEqual({
      listing: 'sale',
      offered: 4,
      refilled: 6,
      remaining: 1,
      refilledAtMs: nowMs + 1,
    });
  });

  test.each<[string, Change[]]>([
    ['take more than is owned', [move('p1', 'sword', -2)]],
    ['take what is reserved', [move('p1', 'gold', -8)]],
    ['pass the largest quantity', [move('p1', 'gold', quantityMax)]],
    ['pass it on the way', [move('p2', 'gold', quantityMax), move('p2', 'gold', 1), move('p2', 'gold', -1)]],
    ['sell more than is left', [{ kind: 'take-stock', listing: 'sale', quantity: 6 }]],
    ['sell less than nothing', [{ kind: 'take-stock', listing: 'sale', quantity: -1 }]],
    ['sell what is not on offer', [{ kind: 'take-stock', listing: 'none', quantity: 1 }]],
    ['withdraw more than is left', [{ kind: 'add-stock', listing: 'sale', quantity: -6 }]],
    ['offer more than the largest number', [{ kind: 'add-stock', listing: 'sale', quantity: quantityMax }]],
    ['touch a holding outside of the footprint', [move('p1', 'wood', 1)]],
    ['touch an account outside of the footprint', [move('p3', 'gold', 1)]],
    [
      'count purchases outside of the footprint',
      [{ kind: 'count-purchases', account: 'p2', listing: 'sale', count: 1, sinceMs: 0 }],
    ],
  ])('throws and changes nothing where it would %s', (_name, wrong) => {
    const ledger = load();
    const fine: Change[] = [move('p1', 'experience', 1), { kind: 'add-stock', listing: 'sale', quantity: 1 }];
    expect(() => ledger.apply([...fine.slice(0, 1), ...wrong], nowMs)).toThrow();
    expect(ledger.changed()).toEqual({ accounts: [], holdings: [], stock: [], purchases: [] });
    ledger.apply(fine, nowMs);
    expect(ledger.holding('p1', 'experience').quantity).toBe(1);
  });
});

describe('a fork', () => {
  test('sees what it stands on, and leaves that as it is until it is merged', () => {
    const ledger = load();
    ledger.apply([move('p1', 'gold', 5)], nowMs);
    const before = ledger.changed();
    const fork = ledger.fork();
    fork.apply([move('p1', 'gold', -2), { kind: 'take-stock', listing: 'sale', quantity: 1 }], nowMs);
    fork.apply([{ kind: 'count-purchases', account: 'p1', listing: 'sale', count: 3, sinceMs: 1 }], nowMs);
    expect(fork.holding('p1', 'gold').quantity).toBe(13);
    expect(fork.account('p1')?.version).toBe(6);
    expect(ledger.holding('p1', 'gold').quantity).toBe(15);
    expect(ledger.account('p1')?.version).toBe(5);
    expect(ledger.stock('sale')?.remaining).toBe(5);
    expect(ledger.purchases('p1', 'sale')?.count).toBe(2);
    expect(ledger.changed()).toEqual(before);
    fork.merge();
    expect(ledger.holding('p1', 'gold').quantity).toBe(13);
    expect(ledger.account('p1')?.version).toBe(6);
    expect(ledger.stock('sale')?.remaining).toBe(4);
    expect(ledger.purchases('p1', 'sale')?.count).toBe(3);
  });

  test('of a fork is merged into that fork alone', () => {
    const ledger = load();
    const fork = ledger.fork();
    const second = fork.fork();
    second.apply([move('p1', 'gold', 1)], nowMs);
    second.merge();
    expect(fork.holding('p1', 'gold').quantity).toBe(11);
    expect(ledger.holding('p1', 'gold').quantity).toBe(10);
  });
});
