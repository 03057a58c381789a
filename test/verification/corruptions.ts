import type { Discrepancy } from '../../src/domain/verification.ts';
import { bucketOf } from '../../src/repository/bucket.ts';
import type { SoundLedger } from '../support/sound-ledger.ts';

/** Something done to the small ledger behind the service's back, and all that verification must find of it. */
export interface Corruption {
  readonly name: string;
  readonly sql: (ids: Ids) => string;
  readonly found: (ids: Ids) => readonly Finding[];
}

/** The ids of the operations, by their names. */
export type Ids = Readonly<Record<keyof SoundLedger, string>>;

/** What must be said of a discrepancy; the rest may be anything. */
export type Finding = Pick<Discrepancy, 'kind' | 'where'> & Partial<Discrepancy>;

const holdings: readonly Corruption[] = [
  {
    name: 'a holding has more than its entries sum to',
    sql: () => `update holdings set quantity = quantity + 1 where account = 'alice' and asset = 'gold'`,
    found: () => [
      {
        kind: 'holding_sum',
        where: { account: 'alice', asset: 'gold' },
        expected: 848,
        found: 849,
        message: 'account alice holds 849 gold, and its entries sum to 848',
      },
    ],
  },
  {
    name: 'an update of a holding was lost',
    sql: () => `update holdings set quantity = 940 where account = 'alice' and asset = 'gold'`,
    found: () => [
      { kind: 'holding_sum', where: { account: 'alice', asset: 'gold' }, expected: 848, found: 940 },
    ],
  },
  {
    name: 'a holding came from nowhere',
    sql: () => `insert into holdings values ('carol', 'gem', ${bucketOf('carol')}, 3)`,
    found: () => [
      {
        kind: 'holding_without_entries',
        where: { account: 'carol', asset: 'gem' },
        expected: null,
        found: 3,
      },
    ],
  },
  {
    name: 'a holding is gone',
    sql: () => `delete from holdings where account = 'erin' and asset = 'gold'`,
    found: () => [
      {
        kind: 'entries_without_holding',
        where: { account: 'erin', asset: 'gold' },
        expected: 30,
        found: null,
      },
    ],
  },
  {
    name: 'an empty holding is gone',
    sql: () => `delete from holdings where account = 'carol' and asset = 'potion'`,
    found: () => [
      { kind: 'entries_without_holding', where: { account: 'carol', asset: 'potion' }, expected: 0 },
    ],
  },
  {
    name: 'something is reserved, and by nobody',
    sql: () => `update holdings set reserved = 2 where account = 'bob' and asset = 'gold'`,
    found: () => [
      { kind: 'holding_reserved', where: { account: 'bob', asset: 'gold' }, expected: 0, found: 2 },
    ],
  },
  {
    name: 'an asset that is held is gone from the catalog',
    sql: () => `delete from assets where id = 'experience'`,
    found: () => [
      { kind: 'asset_unknown', where: { account: 'alice', asset: 'experience' }, found: 'experience' },
      { kind: 'asset_unknown', where: { account: 'erin', asset: 'experience' } },
    ],
  },
];

const accounts: readonly Corruption[] = [
  {
    name: 'an account is a version ahead of its history',
    sql: () => `update accounts set version = version + 1 where id = 'alice'`,
    found: () => [{ kind: 'account_version', where: { account: 'alice' }, expected: 7, found: 8 }],
  },
  {
    name: 'an account without history has a version',
    sql: () => `update accounts set version = 1 where id = 'idle'`,
    found: () => [{ kind: 'account_version', where: { account: 'idle' }, expected: 0, found: 1 }],
  },
  {
    name: 'an account has another time than its last operation',
    sql: () => `update accounts set at = '2020-01-01T00:00:00Z' where id = 'bob'`,
    found: () => [{ kind: 'account_time', where: { account: 'bob' }, found: '2020-01-01T00:00:00.000Z' }],
  },
  {
    name: 'an account counts a stack too many',
    sql: () => `update accounts set stacks = stacks + 1 where id = 'alice'`,
    found: () => [{ kind: 'account_stacks', where: { account: 'alice' }, expected: 2, found: 3 }],
  },
  {
    name: 'the row of an account is gone',
    sql: () => `delete from accounts where id = 'erin'`,
    found: () => [
      { kind: 'account_missing', where: { account: 'erin' }, expected: { version: 2 }, found: null },
    ],
  },
  {
    name: 'only a purchase count is left of an account',
    sql: () => `insert into purchase_counts values ('ghost', 'hourly', ${bucketOf('ghost')}, 1, now())`,
    found: () => [
      { kind: 'account_missing', where: { account: 'ghost' } },
      { kind: 'purchase_count', where: { account: 'ghost', listing: 'hourly' } },
    ],
  },
  {
    name: 'a limit counts more than was bought',
    sql: () => `update purchase_counts set count = 3 where account = 'alice' and listing = 'hourly'`,
    found: () => [
      {
        kind: 'purchase_count',
        where: { account: 'alice', listing: 'hourly' },
        expected: 'at most 2',
        found: 3,
      },
    ],
  },
  {
    name: 'a limit counts more than was earned',
    sql: () => `update purchase_counts set count = 2 where account = 'dora'`,
    found: () => [
      {
        kind: 'purchase_count',
        where: { account: 'dora', listing: '/reward-rules/thanks/2001-01-01' },
        expected: 'at most 1',
        found: 2,
      },
    ],
  },
  {
    name: 'a limit counts what was earned on another day',
    sql: () =>
      `update purchase_counts set listing = '/reward-rules/thanks/2001-01-02' where account = 'dora'`,
    found: () => [
      {
        kind: 'purchase_count',
        where: { account: 'dora', listing: '/reward-rules/thanks/2001-01-02' },
        expected: 'at most 0',
        found: 1,
      },
    ],
  },
  {
    name: 'a limit counts purchases from before its period',
    sql: () => `update purchase_counts set since = since + interval '1 hour' where account = 'bob'`,
    found: () => [
      {
        kind: 'purchase_count',
        where: { account: 'bob', listing: 'hourly' },
        expected: 'at most 0',
        found: 1,
      },
    ],
  },
];

const histories: readonly Corruption[] = [
  {
    name: 'the entries of an operation in the middle are gone',
    sql: () => `delete from entries where account = 'bob' and version = 3`,
    found: (ids) => [
      { kind: 'version_gap', where: { account: 'bob', version: 4 }, expected: 3, found: 4 },
      ...['gold', 'sword'].flatMap((asset): Finding[] => [
        {
          kind: 'entry_missing',
          where: { account: 'bob', asset, version: 3, operation: ids.bobHourly },
          found: null,
        },
        {
          kind: 'entry_balance',
          where: { account: 'bob', asset, version: 4, operation: ids.bobRefilling },
        },
        { kind: 'holding_sum', where: { account: 'bob', asset } },
      ]),
      { kind: 'purchase_count', where: { account: 'bob', listing: 'hourly' } },
    ],
  },
  {
    name: 'a line of an entry is gone',
    sql: () => `delete from entries where account = 'alice' and asset = 'experience'`,
    found: (ids) => [
      {
        kind: 'entry_missing',
        where: { account: 'alice', asset: 'experience', version: 5, operation: ids.aliceCure },
        expected: { delta: 15, balance: 15 },
      },
      { kind: 'holding_without_entries', where: { account: 'alice', asset: 'experience' }, found: 15 },
    ],
  },
  {
    name: 'an operation on an account is dated before the one before it',
    sql: () => `update entries set at = at - interval '1 day' where account = 'bob' and version = 4`,
    found: ({ bobRefilling: operation }) => [
      { kind: 'time_backwards', where: { account: 'bob', version: 4, operation } },
      ...['gold', 'sword'].map((asset): Finding => {
        return { kind: 'entry_differs', where: { account: 'bob', asset, version: 4, operation } };
      }),
    ],
  },
  {
    name: 'the balance of an entry is another',
    sql: () =>
      `update entries set balance = balance + 1 where account = 'alice' and version = 4 and asset = 'gold'`,
    found: (ids) => [
      {
        kind: 'entry_balance',
        where: { account: 'alice', asset: 'gold', version: 4, operation: ids.aliceHourly },
        expected: 940,
        found: 941,
      },
      {
        kind: 'entry_balance',
        where: { account: 'alice', asset: 'gold', version: 6, operation: ids.aliceToBob },
        expected: 841,
        found: 840,
      },
      {
        kind: 'entry_differs',
        where: { account: 'alice', asset: 'gold', version: 4, operation: ids.aliceHourly },
        expected: { balance: 940 },
        found: { balance: 941 },
      },
    ],
  },
  {
    name: 'the delta of the last entry is another',
    sql: () =>
      `update entries set delta = delta + 1 where account = 'erin' and version = 2 and asset = 'gold'`,
    found: ({ erinGrant: operation }) => [
      { kind: 'entry_balance', where: { account: 'erin', asset: 'gold', version: 2, operation } },
      {
        kind: 'entry_differs',
        where: { account: 'erin', asset: 'gold', version: 2, operation },
        expected: { delta: 5 },
        found: { delta: 6 },
      },
      { kind: 'holding_sum', where: { account: 'erin', asset: 'gold' }, expected: 31, found: 30 },
    ],
  },
  {
    name: 'an entry has another type than its operation',
    sql: () =>
      `update entries set type = 'grant' where account = 'alice' and version = 7 and asset = 'sword'`,
    found: ({ aliceSale: operation }) => [
      {
        kind: 'entry_differs',
        where: { account: 'alice', asset: 'sword', version: 7, operation },
        expected: { type: 'sale' },
        found: { type: 'grant' },
      },
    ],
  },
  {
    name: 'an entry was slipped in',
    sql: (ids) =>
      `insert into entries values ('alice', 3, 'gem', ${bucketOf('alice')}, '${ids.aliceOpen}', 'purchase', (select at from operations where id = '${ids.aliceOpen}'), 0, 50)`,
    found: ({ aliceOpen: operation }) => [
      {
        kind: 'entry_unstated',
        where: { account: 'alice', asset: 'gem', version: 3, operation },
        found: { delta: 0, balance: 50 },
      },
    ],
  },
  {
    name: 'entries are given to another operation',
    sql: (ids) => `update entries set operation = '${ids.bobGrant}' where account = 'alice' and version = 3`,
    found: (ids) => [
      {
        kind: 'entry_unstated',
        where: { account: 'alice', asset: 'gold', version: 3, operation: ids.bobGrant },
      },
      ...['gold', 'sword'].map((asset): Finding => {
        return {
          kind: 'entry_differs',
          where: { account: 'alice', asset, version: 3, operation: ids.aliceOpen },
          expected: { operation: ids.aliceOpen },
          found: { operation: ids.bobGrant },
        };
      }),
    ],
  },
  {
    name: 'a version was appended that no operation made',
    sql: (ids) => `
      insert into entries select 'idle', 1, asset, ${bucketOf('idle')}, operation, type, at, delta, balance
        from entries where operation = '${ids.carolGrant}' and asset = 'gold';
      insert into holdings values ('idle', 'gold', ${bucketOf('idle')}, 40);
      update accounts set version = 1, at = (select at from operations where id = '${ids.carolGrant}')
        where id = 'idle'`,
    found: ({ carolGrant: operation }) => [
      { kind: 'entry_unstated', where: { account: 'idle', asset: 'gold', version: 1, operation } },
    ],
  },
];

const operations: readonly Corruption[] = [
  {
    name: 'an operation is gone',
    sql: (ids) => `delete from operations where id = '${ids.aliceOpen}'`,
    found: ({ aliceOpen: operation }) => [
      { kind: 'entry_without_operation', where: { account: 'alice', asset: 'gold', version: 3, operation } },
    ],
  },
  {
    name: 'two operations have changed places in the feed',
    sql: (ids) => `
      update operations set position = case id when '${ids.aliceOpen}' then other.position else own.position end
      from (select position from operations where id = '${ids.aliceOpen}') as own,
        (select position from operations where id = '${ids.aliceHourly}') as other
      where id in ('${ids.aliceOpen}', '${ids.aliceHourly}')`,
    found: ({ aliceHourly: operation }) => [
      { kind: 'position_order', where: { account: 'alice', version: 4, operation } },
    ],
  },
  {
    name: 'two operations have the same position',
    sql: (ids) => `
      update operations set position = other.position
      from (select position from operations where id = '${ids.erinGrant}') as other
      where id = '${ids.carolConsumption}'`,
    found: ({ erinGrant: operation }) => [{ kind: 'position_shared', where: { operation } }],
  },
  {
    name: 'an operation has a position that was never given out',
    sql: (ids) => `update operations set position = 1000000 where id = '${ids.erinGrant}'`,
    found: ({ erinGrant: operation }) => [{ kind: 'position_range', where: { operation }, found: 1_000_000 }],
  },
  {
    name: 'an operation has a position before the feed',
    sql: (ids) => `update operations set position = -5 where id = '${ids.aliceGrant}'`,
    found: ({ aliceGrant: operation }) => [{ kind: 'position_range', where: { operation }, found: -5 }],
  },
  {
    name: 'a receipt is no receipt',
    sql: (ids) => `update operations set receipt = '{"id": 1}' where id = '${ids.carolConsumption}'`,
    found: ({ carolConsumption: operation }) => [{ kind: 'receipt_malformed', where: { operation } }],
  },
  {
    name: 'a receipt states another delta',
    sql: (ids) => `
      update operations set receipt = replace(receipt::text, '"delta":-7', '"delta":-6')::json
      where id = '${ids.carolConsumption}'`,
    found: ({ carolConsumption: operation }) => [
      {
        kind: 'entry_differs',
        where: { account: 'carol', asset: 'potion', version: 2, operation },
        expected: { delta: -6 },
        found: { delta: -7 },
      },
    ],
  },
  {
    name: 'a receipt states another version',
    sql: (ids) => `
      update operations set receipt = replace(receipt::text, '"version":2', '"version":9')::json
      where id = '${ids.carolConsumption}'`,
    found: ({ carolConsumption: operation }) => [
      { kind: 'entry_missing', where: { account: 'carol', asset: 'potion', version: 9, operation } },
      { kind: 'entry_unstated', where: { account: 'carol', asset: 'potion', version: 2, operation } },
    ],
  },
  {
    name: 'an operation has another actor than its receipt',
    sql: (ids) => `update operations set actor = 'key:other' where id = '${ids.bobGrant}'`,
    found: ({ bobGrant: operation }) => [
      {
        kind: 'receipt_head',
        where: { operation },
        expected: { actor: 'key:other' },
        found: { actor: 'key:test' },
      },
    ],
  },
  {
    name: 'an operation has another time than its receipt and its entries',
    sql: (ids) => `update operations set at = '2020-01-01T00:00:00Z' where id = '${ids.restocked}'`,
    found: ({ restocked: operation }) => [
      { kind: 'receipt_head', where: { operation }, expected: { at: '2020-01-01T00:00:00.000Z' } },
    ],
  },
  {
    name: 'a dry run is on record',
    sql: (ids) => `
      update operations set receipt = replace(receipt::text, '"dryRun":false', '"dryRun":true')::json
      where id = '${ids.bobGrant}'`,
    found: ({ bobGrant: operation }) => [
      { kind: 'receipt_head', where: { operation }, expected: { dryRun: false }, found: { dryRun: true } },
    ],
  },
  {
    name: 'an operation is of a type that there is not, everywhere',
    sql: (ids) => `
      update operations set type = 'gift', receipt = replace(receipt::text, 'consumption', 'gift')::json
        where id = '${ids.carolConsumption}';
      update entries set type = 'gift' where operation = '${ids.carolConsumption}'`,
    found: ({ carolConsumption: operation }) => [
      { kind: 'operation_type', where: { operation }, found: 'gift' },
    ],
  },
  {
    name: 'a transfer was forged to create something, consistently everywhere',
    sql: (ids) => `
      update operations set receipt = replace(receipt::text, '"delta":25,"balance":25', '"delta":26,"balance":26')::json
        where id = '${ids.bobToErin}';
      update operations set receipt = replace(receipt::text, '"delta":5,"balance":30', '"delta":5,"balance":31')::json
        where id = '${ids.erinGrant}';
      update entries set delta = 26 where account = 'erin' and asset = 'gold' and version = 1;
      update entries set balance = balance + 1 where account = 'erin' and asset = 'gold';
      update holdings set quantity = quantity + 1 where account = 'erin' and asset = 'gold'`,
    found: ({ bobToErin: operation }) => [
      {
        kind: 'operation_rule',
        where: { operation },
        expected: 'a transfer',
        found: 'its gold sums to 1, not to zero',
      },
    ],
  },
  {
    name: 'a reward does not say what it was for',
    sql: (ids) => `
      update operations set receipt = replace(receipt::text, '"operation"', '"because"')::json
      where id = '${ids.doraReward}'`,
    found: ({ doraReward: operation }) => [
      {
        kind: 'operation_rule',
        where: { operation },
        found: 'its details do not say by which rule which operation earned it, and when',
      },
    ],
  },
  {
    name: 'an operation is another account’s',
    sql: (ids) =>
      `update operations set home = 'bob', bucket = ${bucketOf('bob')} where id = '${ids.carolConsumption}'`,
    found: ({ carolConsumption: operation }) => [
      { kind: 'operation_rule', where: { operation }, found: 'it belongs to bob and touches account carol' },
    ],
  },
];

const inAnotherBucket: readonly Corruption[] = [
  {
    name: 'an account without anything',
    sql: () => `update accounts set bucket = ${otherBucket('idle')} where id = 'idle'`,
    found: () => [{ kind: 'bucket', where: { account: 'idle' }, expected: bucketOf('idle') }],
  },
  {
    name: 'an account with everything',
    sql: () => `update accounts set bucket = ${otherBucket('alice')} where id = 'alice'`,
    found: () => [{ kind: 'bucket', where: { account: 'alice' }, found: otherBucket('alice') }],
  },
  {
    name: 'a holding',
    sql: () => `update holdings set bucket = -7 where account = 'alice' and asset = 'gem'`,
    found: () => [{ kind: 'bucket', where: { account: 'alice', asset: 'gem' }, found: -7 }],
  },
  {
    name: 'an entry',
    sql: () => `update entries set bucket = 32767 where account = 'alice' and version = 2 and asset = 'gold'`,
    found: () => [{ kind: 'bucket', where: { account: 'alice', asset: 'gold', version: 2 }, found: 32767 }],
  },
  {
    name: 'a purchase count',
    sql: () => `update purchase_counts set bucket = ${otherBucket('bob')} where account = 'bob'`,
    found: () => [{ kind: 'bucket', where: { account: 'bob' }, found: otherBucket('bob') }],
  },
  {
    name: 'an operation',
    sql: (ids) => `update operations set bucket = ${otherBucket('bob')} where id = '${ids.bobGrant}'`,
    found: ({ bobGrant: operation }) => [{ kind: 'bucket', where: { operation }, found: otherBucket('bob') }],
  },
];

const stock: readonly Corruption[] = [
  {
    name: 'a stock has less left than the last operation left',
    sql: () => `update stock set remaining = remaining - 1 where listing = 'limited'`,
    found: () => [
      { kind: 'stock_remaining', where: { listing: 'limited' }, expected: 25, found: 24 },
      { kind: 'stock_sold', where: { listing: 'limited' }, expected: 5, found: 6 },
    ],
  },
  {
    name: 'a stock has more, and offered more',
    sql: () => `update stock set remaining = remaining + 1, offered = offered + 1 where listing = 'limited'`,
    found: () => [
      { kind: 'stock_remaining', where: { listing: 'limited' }, expected: 25, found: 26 },
      { kind: 'stock_offered', where: { listing: 'limited' }, expected: 30, found: 31 },
    ],
  },
  {
    name: 'a stock was refilled more often than its operations say',
    sql: () => `update stock set refilled = refilled + 1 where listing = 'refilling'`,
    found: () => [
      { kind: 'stock_offered', where: { listing: 'refilling' }, expected: 7, found: 8 },
      { kind: 'stock_sold', where: { listing: 'refilling' }, expected: 6, found: 7 },
    ],
  },
  {
    name: 'an operation took more than was bought, and added as much',
    sql: (ids) => `
      update operations set stock = replace(replace(stock::text, '"added":0', '"added":1'), '"taken":3', '"taken":4')::json
      where id = '${ids.aliceLimited}'`,
    found: ({ aliceLimited: operation }) => [
      {
        kind: 'operation_rule',
        where: { operation },
        found: 'it took 4 of listing limited, which is not what its details say it bought',
      },
      { kind: 'stock_offered', where: { listing: 'limited' }, expected: 31, found: 30 },
      { kind: 'stock_sold', where: { listing: 'limited' }, expected: 6, found: 5 },
    ],
  },
  {
    name: 'an operation says that it left something else',
    sql: (ids) => `
      update operations set stock = replace(stock::text, '"remaining":17', '"remaining":16')::json
      where id = '${ids.aliceLimited}'`,
    found: (ids) => [
      {
        kind: 'stock_chain',
        where: { listing: 'limited', operation: ids.aliceLimited },
        expected: 17,
        found: 16,
      },
      {
        kind: 'stock_chain',
        where: { listing: 'limited', operation: ids.bobLimited },
        expected: 14,
        found: 15,
      },
    ],
  },
  {
    name: 'the stock was oversold on the way, and nobody took note',
    sql: (ids) => `
      update operations set stock = replace(stock::text, '"remaining":17', '"remaining":-17')::json
      where id = '${ids.aliceLimited}'`,
    found: (ids) => [
      { kind: 'stock_chain', where: { listing: 'limited', operation: ids.aliceLimited }, found: -17 },
      { kind: 'stock_chain', where: { listing: 'limited', operation: ids.bobLimited }, expected: -19 },
    ],
  },
  {
    name: 'what an operation did to stock cannot be read',
    sql: (ids) => `update operations set stock = '{"listing":"limited"}' where id = '${ids.aliceLimited}'`,
    found: (ids) => [
      { kind: 'stock_malformed', where: { operation: ids.aliceLimited } },
      {
        kind: 'stock_chain',
        where: { listing: 'limited', operation: ids.bobLimited },
        expected: 18,
        found: 15,
      },
      { kind: 'stock_sold', where: { listing: 'limited' }, expected: 2, found: 5 },
    ],
  },
  {
    name: 'what an operation did to stock is gone',
    sql: (ids) => `update operations set stock = null where id = '${ids.bobRefilling}'`,
    found: () => [
      { kind: 'stock_remaining', where: { listing: 'refilling' }, expected: 3, found: 1 },
      { kind: 'stock_offered', where: { listing: 'refilling' }, expected: 3, found: 7 },
      { kind: 'stock_sold', where: { listing: 'refilling' }, expected: 0, found: 6 },
    ],
  },
  {
    name: 'a stock came from nowhere',
    sql: () => `insert into stock values ('open', 5, 0, 5, now())`,
    found: () => [
      {
        kind: 'stock_without_history',
        where: { listing: 'open' },
        found: { offered: 5, refilled: 0, remaining: 5 },
      },
    ],
  },
  {
    name: 'a stock is gone',
    sql: () => `delete from stock where listing = 'limited'`,
    found: () => [{ kind: 'stock_missing', where: { listing: 'limited' }, expected: 25, found: null }],
  },
  {
    name: 'a listing is limited and has no stock',
    sql: () => `update listings set limited = true where id = 'open'`,
    found: () => [{ kind: 'stock_missing', where: { listing: 'open' }, expected: 0, found: null }],
  },
];

/** There is at least one for each kind of discrepancy. */
export const corruptions: readonly Corruption[] = [
  ...holdings,
  ...accounts,
  ...histories,
  ...operations,
  ...inAnotherBucket.map((row) => ({ ...row, name: `${row.name} is in another bucket` })),
  ...stock,
];

function otherBucket(account: string): number {
  return (bucketOf(account) + 1) % 256;
}
