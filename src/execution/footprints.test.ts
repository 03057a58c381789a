import { expect, test } from 'vitest';
import { unite } from './footprints.ts';

test('one footprint covers them all, and names each row once', () => {
  const first = {
    accounts: ['p2', 'p1'],
    creates: ['p2'],
    holdings: [
      { account: 'p1', asset: 'gold' },
      { account: 'p2', asset: 'gold' },
    ],
    stock: ['sale'],
    purchases: [{ account: 'p1', listing: 'sale' }],
  };
  const second = {
    accounts: ['p1', 'p3', 'p3'],
    creates: ['p2', 'p3'],
    holdings: [
      { account: 'p1', asset: 'gold' },
      { account: 'p1', asset: 'wood' },
    ],
    stock: ['sale', 'other'],
    purchases: [
      { account: 'p1', listing: 'sale' },
      { account: 'p1', listing: 'other' },
    ],
  };
  expect(unite([first, second])).toEqual({
    accounts: ['p2', 'p1', 'p3'],
    creates: ['p2', 'p3'],
    holdings: [
      { account: 'p1', asset: 'gold' },
      { account: 'p2', asset: 'gold' },
      { account: 'p1', asset: 'wood' },
    ],
    stock: ['sale', 'other'],
    purchases: [
      { account: 'p1', listing: 'sale' },
      { account: 'p1', listing: 'other' },
    ],
  });
});

test('of nothing it is nothing', () => {
  expect(unite([])).toEqual({ accounts: [], creates: [], holdings: [], stock: [], purchases: [] });
});
