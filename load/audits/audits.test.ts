import { describe, expect, it } from 'vitest';
import { answerFaults } from './answer-audit.ts';
import { deliveryFaults } from './delivery-audit.ts';
import { feedFaults, historyFaults } from './feed-audit.ts';
import type { RecordedOperation } from './recorded-operations.ts';
import { relayFaults, type AuditedMessage } from './relay-audit.ts';
import { rewardFaults, rewardsDue, type AuditedRule } from './reward-audit.ts';

const at = '2026-11-21T10:00:00.000Z';

interface Planned {
  readonly position: number;
  readonly type: string;
  readonly home?: string;
  readonly asset?: string;
  readonly delta?: number;
  readonly balance?: number;
  readonly version?: number;
  readonly at?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

function operation(planned: Planned): RecordedOperation {
  const { position, type, home = 'alice', asset = 'gold', delta = 1, balance = 1, version = 1 } = planned;
  const id = `op-${position}`;
  const receipt = {
    at: planned.at ?? at,
    entries: [{ account: home, asset, delta, balance }],
    accounts: { [home]: { version } },
    details: planned.details ?? {},
  };
  return { position, id, type, home, text: JSON.stringify({ id, type, ...receipt }), receipt };
}

const purchase = (position: number, rest: Partial<Planned> = {}): RecordedOperation =>
  operation({ position, type: 'purchase', ...rest });

const reward = (position: number, of: number, rest: Partial<Planned> = {}): RecordedOperation =>
  operation({
    position,
    type: 'reward',
    asset: 'xp',
    delta: 10,
    details: { rule: 'shopper', operation: `op-${of}`, earnedAt: at },
    ...rest,
  });

describe('rewards', () => {
  const rule: AuditedRule = {
    id: 'shopper',
    on: { type: 'purchase' },
    grant: [{ asset: 'xp', quantity: 10 }],
    dailyLimit: 2,
    since: 1,
  };
  const bought = [purchase(1), purchase(2), purchase(3), purchase(4), purchase(5, { home: 'bob' })];
  const bobs = reward(8, 5, { home: 'bob' });
  const faultsWith = (...rewards: RecordedOperation[]): readonly string[] =>
    rewardFaults([...bought, ...rewards], [rule]);

  it('are right when the first of the day have one each', () => {
    expect(faultsWith(reward(6, 2), reward(7, 3), bobs)).toEqual([]);
    expect(rewardsDue(bought, rule)).toEqual({ granted: 3, keptBack: 1 });
  });

  it.for<[string, RecordedOperation[]]>([
    ['not granted (1): shopper for op-3 at 3', [reward(6, 2), bobs]],
    ['granted twice (1): shopper for op-3', [reward(6, 2), reward(7, 3), bobs, reward(9, 3)]],
    ['granted for nothing (1): shopper for op-4: ', [reward(6, 2), reward(7, 3), bobs, reward(9, 4)]],
    ['granted for nothing (1): shopper for op-1: ', [reward(6, 2), reward(7, 3), bobs, reward(9, 1)]],
    ['granted otherwise (1): ', [reward(6, 2, { delta: 11 }), reward(7, 3), bobs]],
    ['granted otherwise (1): ', [reward(6, 2), reward(7, 3), reward(8, 5)]],
  ])('are wrong: %s', ([fault, rewards]) => {
    expect(faultsWith(...rewards)).toEqual([expect.stringContaining(fault)]);
  });

  it('are limited by the UTC day, and earned by a listing or an asset where the rule says so', () => {
    const next = purchase(6, { at: '2026-11-22T00:00:00.000Z' });
    expect(rewardsDue([...bought, next], rule)).toEqual({ granted: 4, keptBack: 1 });
    const sword = purchase(7, { details: { listing: 'sword' } });
    const ofSwords = { ...rule, on: { type: 'purchase', listing: 'sword' } };
    expect(rewardsDue([...bought, sword], ofSwords)).toEqual({ granted: 1, keptBack: 0 });
    const gem = purchase(7, { asset: 'gem' });
    const ofGems = { ...rule, on: { type: 'purchase', asset: 'gem' } };
    expect(rewardsDue([...bought, gem], ofGems)).toEqual({ granted: 1, keptBack: 0 });
  });
});

describe('deliveries', () => {
  const operations = [purchase(1), purchase(2), reward(3, 2)];
  const webhook = { types: ['purchase'], since: 1 };

  it('are right when each was acknowledged, however often', () => {
    expect(deliveryFaults(operations, webhook, new Map([['op-2', 3]]))).toEqual([]);
    const both = new Map(operations.map(({ id }) => [id, 1]));
    expect(deliveryFaults(operations, { types: null, since: 0 }, both)).toEqual([]);
  });

  it('are wrong when one is missing, or was not asked for', () => {
    expect(deliveryFaults(operations, webhook, new Map())).toEqual(['not delivered (1): op-2 at 2']);
    const all = new Map(operations.map(({ id }) => [id, 1]));
    expect(deliveryFaults(operations, webhook, all)).toEqual([
      'delivered to the wrong endpoint (2): op-1, op-3',
    ]);
  });
});

describe('a relayed stream', () => {
  const operations = [purchase(1), purchase(2, { home: 'bob' }), purchase(3)];
  const message = ({ id, type, text }: RecordedOperation): AuditedMessage => ({
    subject: `holdfast.operations.${type}`,
    headers: { 'Nats-Msg-Id': id },
    payload: text,
  });
  const [first, second, third] = operations.map(message);
  const faultsOf = (...messages: (AuditedMessage | undefined)[]): readonly string[] =>
    relayFaults(
      operations,
      messages.filter((each) => each !== undefined),
    );

  it('is right in any order that keeps that of each account', () => {
    expect(faultsOf(first, second, third)).toEqual([]);
    expect(faultsOf(first, third, second)).toEqual([]);
  });

  it('is wrong when something is missing, there twice, out of order, or not as it was', () => {
    expect(faultsOf(first, third)).toEqual(['missing (1): op-2 at 2']);
    expect(faultsOf(first, second, second, third)).toEqual([
      'there twice (1): op-2',
      'out of order (1): bob op-2',
    ]);
    expect(faultsOf(third, second, first)).toEqual(['out of order (1): alice op-1']);
    expect(faultsOf(first, second, third, message(purchase(4)))).toEqual([
      'not on record (1): holdfast.operations.purchase op-4',
    ]);
    const other = { ...message(purchase(3)), payload: '{}' };
    expect(faultsOf(first, second, other)).toEqual([
      'not word for word (1): holdfast.operations.purchase {}',
    ]);
  });
});

describe('what a follower saw', () => {
  const operations = [purchase(1), purchase(2), purchase(3)];
  const [first = '', second = '', third = ''] = operations.map(({ text }) => text);

  it('is right row for row', () => {
    expect(feedFaults(operations, [first, second, third])).toEqual([]);
  });

  it.for<[string, string[], string[]]>([
    ['one is missing', [first, third], ['never seen (1): op-2']],
    ['one came twice', [first, second, second, third], [`seen more than once (1): ${second}`]],
    ['two changed places', [first, third, second], []],
    ['there is more', [first, second, third, '{}'], []],
  ])('is wrong when %s', ([, seen, more]) => {
    expect(feedFaults(operations, seen)).toEqual([
      expect.stringMatching(/^row for row \(1\): from row [123] of 3/),
      ...more,
    ]);
  });
});

describe('a history', () => {
  it('is right when versions rise by one and balances follow', () => {
    expect(historyFaults([purchase(1), purchase(2, { version: 2, balance: 2 })])).toEqual([]);
  });

  it('is wrong otherwise', () => {
    expect(historyFaults([purchase(1), purchase(2, { version: 3, balance: 2 })])).toEqual([
      'a version that does not follow (1): alice 3 by op-2',
    ]);
    expect(historyFaults([purchase(1), purchase(2, { version: 2, balance: 3 })])).toEqual([
      'a balance that does not follow (1): alice gold 3 by op-2',
    ]);
  });
});

describe('answers', () => {
  const operations = [purchase(1), purchase(2), purchase(3), reward(4, 3)];
  const [, second = '', third = ''] = operations.map(({ text }) => text);

  it('are right when each is on record once, and no other', () => {
    expect(answerFaults(operations, [third, second], 1)).toEqual([]);
  });

  it('are wrong otherwise', () => {
    expect(answerFaults(operations, [second], 1)).toEqual(['on record and never answered (1): op-3']);
    expect(answerFaults(operations, [second, third, third], 1)).toEqual([
      `answered and not on record (1): ${third}`,
    ]);
  });
});
