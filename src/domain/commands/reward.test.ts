import { describe, expect, test } from 'vitest';
import { account, carryOut, decide, holding, nowMs, purchases, rows } from '../../../test/support/ledgers.ts';
import { rewarding } from '../../../test/support/requests.ts';
import { asset, catalogOf, experience, gold, rewardRule, sword } from '../../../test/support/shop.ts';

const potion = asset('potion', { kind: 'item', stackLimit: 5 });
const grant = [
  { asset: 'experience', quantity: 10 },
  { asset: 'potion', quantity: 1 },
];
const catalog = catalogOf(
  [gold, sword, potion, experience],
  [],
  [
    rewardRule('plain', { grant }),
    rewardRule('daily', { dailyLimit: 3, since: 4 }),
    rewardRule('off', { enabled: false }),
  ],
);
const counter = '/reward-rules/daily/2026-11-21';

test('it gives what the rule says, and tells for what', () => {
  const there = rows(catalog, {
    accounts: [account('p1', { version: 2 })],
    holdings: [holding('p1', 'experience', 5)],
  });
  const command = rewarding('plain', 'p1');
  expect(carryOut(command, there).effect).toMatchObject({
    entries: [
      { account: 'p1', asset: 'experience', delta: 10, balance: 15 },
      { account: 'p1', asset: 'potion', delta: 1, balance: 1 },
    ],
    accounts: [{ id: 'p1', version: 3, stacks: 1 }],
  });
  expect(decide(command, there)).toMatchObject({
    details: { rule: 'plain', operation: 'o1', earnedAt: '2026-11-21T10:00:00.000Z' },
  });
});

test('it needs the account, what it grants, and a count where the rule has a limit; and creates nothing', () => {
  expect(rewarding('plain', 'p1').footprint(catalog)).toEqual({
    accounts: ['p1'],
    creates: [],
    holdings: [
      { account: 'p1', asset: 'experience' },
      { account: 'p1', asset: 'potion' },
    ],
    stock: [],
    purchases: [],
  });
  expect(rewarding('daily', 'p1').footprint(catalog)).toMatchObject({
    holdings: [{ account: 'p1', asset: 'experience' }],
    purchases: [{ account: 'p1', listing: counter }],
  });
  expect(decide(rewarding('plain', 'nobody'), rows(catalog))).toMatchObject({ code: 'account_not_found' });
});

test.each([
  ['there is no such rule', rewarding('none', 'p1')],
  ['the rule is not enabled', rewarding('off', 'p1')],
  ['the rule is about something else', rewarding('plain', 'p1', { type: 'sale' })],
  ['the operation was there before the rule', rewarding('daily', 'p1', { position: 4 })],
])('it gives nothing where %s', (_name, command) => {
  const there = rows(catalog, { accounts: [account('p1')] });
  expect(decide(command, there)).toMatchObject({ kind: 'rejected', code: 'reward_not_earned' });
});

describe('a daily limit', () => {
  const there = (...counted: number[]) =>
    rows(catalog, {
      accounts: [account('p1')],
      purchases: counted.map((count) => purchases('p1', counter, count, Date.UTC(2026, 10, 21))),
    });

  test('is counted from the first reward of the day on', () => {
    const since = { sinceMs: Date.UTC(2026, 10, 21) };
    const first = carryOut(rewarding('daily', 'p1'), there());
    expect(first.changed.purchases).toEqual([{ account: 'p1', listing: counter, count: 1, ...since }]);
    const third = carryOut(rewarding('daily', 'p1'), there(2));
    expect(third.changed.purchases).toEqual([{ account: 'p1', listing: counter, count: 3, ...since }]);
  });

  test('gives nothing beyond, also when it was lowered', () => {
    for (const count of [3, 7]) {
      expect(decide(rewarding('daily', 'p1'), there(count))).toMatchObject({
        code: 'reward_not_earned',
        detail: `account p1 has earned ${count} of at most 3 rewards by rule daily on 2026-11-21`,
        members: { account: 'p1', rule: 'daily', limit: 3 },
      });
    }
  });

  test('is of the day of the operation that earned it, whenever the reward comes', () => {
    const midnight = Date.UTC(2026, 10, 22);
    const full = there(3);
    const late = rewarding('daily', 'p1', { atMs: midnight - 1 });
    expect(decide(late, full, midnight + 60_000)).toMatchObject({ code: 'reward_not_earned' });
    const { changed } = carryOut(rewarding('daily', 'p1', { atMs: midnight }), full, midnight + 60_000);
    expect(changed.purchases).toEqual([
      { account: 'p1', listing: '/reward-rules/daily/2026-11-22', count: 1, sinceMs: midnight },
    ]);
  });

  test('is each account’s own', () => {
    const others = rows(catalog, {
      accounts: [account('p2')],
      purchases: [purchases('p1', counter, 3, nowMs)],
    });
    expect(decide(rewarding('daily', 'p2'), others)).toMatchObject({ kind: 'accepted' });
  });
});

test('what there is no room for is refused, and counts for nothing', () => {
  const there = rows(catalog, {
    accounts: [account('p1', { stacks: 1 })],
    holdings: [holding('p1', 'potion', 5)],
  });
  expect(decide(rewarding('plain', 'p1'), there)).toMatchObject({ code: 'stack_limit_exceeded' });
});
