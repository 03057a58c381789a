import { describe, expect, test } from 'vitest';
import type { CommandType } from '../command.ts';
import type { Entry, RecordedOperation } from '../operation.ts';
import type { StockLine } from '../stock.ts';
import { consumption } from './consumption.ts';
import { grant } from './grant.ts';
import { purchase } from './purchase.ts';
import { restock } from './restock.ts';
import { reward } from './reward.ts';
import { sale } from './sale.ts';
import { transfer } from './transfer.ts';

function entry(account: string, delta: number): Entry {
  return { account, asset: 'gold', delta, balance: 9 };
}

function recorded(
  home: string,
  entries: readonly Entry[],
  details: RecordedOperation['receipt']['details'] = {},
  stock: readonly StockLine[] = [],
): RecordedOperation {
  const at = '2026-11-21T10:00:00.000Z';
  const head = { id: 'o1', type: 'any', at, actor: 'key:test', dryRun: false };
  return { home, receipt: { ...head, entries, accounts: {}, details }, stock };
}

const taken: StockLine = { listing: 'sale', added: 0, taken: 1, remaining: 4 };
const added: StockLine = { listing: 'sale', added: 2, taken: 0, remaining: 5 };
const offered = { listing: 'sale', quantity: 2, remaining: 5 };

const earned = { rule: 'xp', operation: 'o0', earnedAt: '2026-11-21T09:00:00.000Z' };

interface Case {
  readonly type: Pick<CommandType<never>, 'type' | 'check'>;
  readonly operation: RecordedOperation;
  readonly faults: readonly string[];
}

const cases: readonly Case[] = [
  { type: grant, operation: recorded('a', [entry('a', 1)]), faults: [] },
  {
    type: grant,
    operation: recorded('a', [entry('a', -1), entry('b', 1)], {}, [taken]),
    faults: [
      'it belongs to a and touches account b',
      'it took 1 of listing sale, and is none that buys',
      'it changed the gold of account a by -1',
    ],
  },
  { type: consumption, operation: recorded('a', [entry('a', -1)]), faults: [] },
  {
    type: consumption,
    operation: recorded('a', [entry('a', 0)]),
    faults: ['it changed the gold of account a by 0'],
  },
  { type: sale, operation: recorded('a', [entry('a', 4)]), faults: [] },
  { type: reward, operation: recorded('a', [entry('a', 4)], earned), faults: [] },
  {
    type: reward,
    operation: recorded('a', [entry('a', 4), entry('b', -4)], { ...earned, operation: null }, [taken]),
    faults: [
      'it belongs to a and touches account b',
      'it took 1 of listing sale, and is none that buys',
      'it changed the gold of account b by -4',
      'its details do not say by which rule which operation earned it, and when',
    ],
  },
  {
    type: sale,
    operation: recorded('a', [entry('b', 4)], {}, [taken]),
    faults: ['it belongs to a and touches account b', 'it took 1 of listing sale, and is none that buys'],
  },
  {
    type: purchase,
    operation: recorded('a', [entry('a', -4)], { listing: 'sale', quantity: 1 }, [taken]),
    faults: [],
  },
  {
    type: purchase,
    operation: recorded('a', [entry('b', -4)], { listing: 'sale', quantity: 2 }, [taken]),
    faults: [
      'it belongs to a and touches account b',
      'it took 1 of listing sale, which is not what its details say it bought',
    ],
  },
  {
    type: transfer,
    operation: recorded('a', [entry('a', -4), entry('b', 4)], { from: 'a', to: 'b' }),
    faults: [],
  },
  {
    type: transfer,
    operation: recorded('c', [entry('a', -4), entry('c', 3)], { from: 'a', to: 'b' }, [taken]),
    faults: [
      'it belongs to c, and is a transfer from another account',
      'it touches account c, which is not party to it',
      'its gold sums to -1, not to zero',
      'it took 1 of listing sale, and is none that buys',
    ],
  },
  { type: restock, operation: recorded('/listings/sale', [], offered, [added]), faults: [] },
  {
    type: restock,
    operation: recorded('/listings/other', [entry('a', 1)], offered, [taken]),
    faults: [
      'it took 1 of listing sale, and is none that buys',
      'it belongs to /listings/other, which is not the home of the listing in its details',
      'it changed what accounts own',
      'what it did to stock is not what its details say',
    ],
  },
  {
    type: restock,
    operation: recorded('/listings/sale', [], offered),
    faults: ['what it did to stock is not what its details say'],
  },
];

describe('what a type says of its operations on record', () => {
  test.each(cases)('$type.type: $faults', ({ type, operation, faults }) => {
    expect(type.check?.(operation)).toEqual(faults);
  });
});
