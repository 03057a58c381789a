import fc from 'fast-check';
import type { Account } from '../../src/domain/account.ts';
import { assetKinds, type Asset } from '../../src/domain/asset.ts';
import { commandOf, type Command, type CommandType } from '../../src/domain/command.ts';
import { consumption } from '../../src/domain/commands/consumption.ts';
import { grant } from '../../src/domain/commands/grant.ts';
import { purchase } from '../../src/domain/commands/purchase.ts';
import { restock } from '../../src/domain/commands/restock.ts';
import { reward } from '../../src/domain/commands/reward.ts';
import { sale } from '../../src/domain/commands/sale.ts';
import { transfer } from '../../src/domain/commands/transfer.ts';
import type { Holding } from '../../src/domain/holding.ts';
import { newAccount } from '../../src/domain/ledger.ts';
import type { Listing } from '../../src/domain/listing.ts';
import type { RecordedOperation } from '../../src/domain/operation.ts';
import { quantityMax } from '../../src/domain/quantity.ts';
import type { EarningOperation, RewardRule } from '../../src/domain/reward-rule.ts';
import { nowMs, rows, type Rows } from './ledgers.ts';
import { asset, catalogOf, listing, rewardRule } from './shop.ts';

const assetIds = ['a', 'B', 'a-b', 'a.b'];
const listingIds = ['l', 'L'];
const accountIds = ['p', 'P', 'p-q'];
const ruleIds = ['r', 'R'];

/** Mostly small, so that things meet; now and then at the edge of what can be counted. */
const anyAmount = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: 1, max: 6 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 2 }).map((less) => quantityMax - less) },
);
const anyOwned = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 40 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 9 }).map((less) => quantityMax - less) },
);
const anyLine = fc.record({ asset: fc.constantFrom(...assetIds), quantity: anyAmount });
const anyLines = fc.array(anyLine, { minLength: 1, maxLength: 3 });
const rarely = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { freq: 3 });

const anyAsset = (id: string): fc.Arbitrary<Asset> =>
  fc
    .record({
      kind: fc.constantFrom(...assetKinds),
      stackLimit: rarely(fc.integer({ min: 1, max: 50 })),
      tradable: fc.boolean(),
      sellPrice: fc.option(anyLines),
    })
    .map((rest) => asset(id, rest));

const anyListing = (id: string): fc.Arbitrary<Listing> =>
  fc
    .record({
      price: fc.array(anyLine, { maxLength: 2 }),
      goods: fc.array(anyLine, { maxLength: 2 }),
      limited: fc.boolean(),
      perAccountLimit: rarely(fc.integer({ min: 1, max: 8 })),
      limitPeriodSeconds: rarely(fc.integer({ min: 1, max: 100 })),
      opensAtMs: rarely(fc.integer({ min: nowMs - 5_000, max: nowMs + 1_000 })),
      closesAtMs: rarely(fc.integer({ min: nowMs - 1_000, max: nowMs + 50_000 })),
      restock: rarely(
        fc.record({ quantity: anyAmount, everySeconds: fc.integer({ min: 1, max: 9 }), max: anyAmount }),
      ),
    })
    .map((rest) => listing(id, rest));

const anyRule = (id: string): fc.Arbitrary<RewardRule> =>
  fc
    .record({
      on: fc.record({
        type: fc.constantFrom('purchase', 'sale'),
        listing: fc.constant(null),
        asset: rarely(fc.constantFrom(...assetIds)),
      }),
      grant: anyLines,
      dailyLimit: fc.option(fc.integer({ min: 1, max: 2 })),
      enabled: fc.constantFrom(true, true, true, false),
      since: fc.integer({ min: 0, max: 5 }),
    })
    .map((rest) => rewardRule(id, rest));

/** An account with what it holds, its stacks counted; or only ensured; or not there at all. */
const anyOwner = (id: string) =>
  fc.record({
    there: fc.constantFrom('there', 'there', 'there', 'ensured', 'missing'),
    version: fc.integer({ min: 1, max: 9 }),
    capacity: rarely(fc.integer({ min: 0, max: 3 })),
    atMs: fc.option(fc.integer({ min: nowMs - 9_000, max: nowMs + 9_000 })),
    owned: fc.array(fc.tuple(anyOwned, fc.double({ min: 0, max: 1, noNaN: true })), {
      minLength: assetIds.length,
      maxLength: assetIds.length,
    }),
    id: fc.constant(id),
  });

/** A catalog, accounts and what they hold, stock and purchase counts: consistent, and otherwise anything. */
export const anyWorld: fc.Arbitrary<Rows> = fc
  .record({
    assets: fc.tuple(...assetIds.map(anyAsset)),
    listings: fc.tuple(...listingIds.map(anyListing)),
    rules: fc.tuple(...ruleIds.map(anyRule)),
    owners: fc.tuple(...accountIds.map(anyOwner)),
    stock: fc.tuple(
      ...listingIds.map((id) =>
        fc.record({
          listing: fc.constant(id),
          offered: anyOwned,
          refilled: fc.integer({ min: 0, max: 5 }),
          sold: fc.double({ min: 0, max: 1, noNaN: true }),
          refilledAtMs: fc.integer({ min: nowMs - 30_000, max: nowMs }),
        }),
      ),
    ),
    counts: fc.array(fc.option(fc.integer({ min: 1, max: 8 })), { minLength: 6, maxLength: 6 }),
  })
  .map(({ assets, listings, rules, owners, stock, counts }) => {
    const catalog = catalogOf(assets, listings, rules);
    const accounts: Account[] = [];
    const holdings: Holding[] = [];
    for (const { id, there, version, capacity, atMs, owned } of owners) {
      if (there === 'ensured') accounts.push(newAccount(id));
      if (there !== 'there') continue;
      const held = owned.map(([quantity, reservedPart], i) => ({
        account: id,
        asset: assetIds[i] ?? '',
        quantity,
        reserved: reservedPart < 0.7 ? 0 : Math.floor(quantity * reservedPart),
      }));
      holdings.push(...held.filter(({ quantity }) => quantity > 0));
      const stacks = held.filter(
        (row) => row.quantity > 0 && catalog.assets.get(row.asset)?.kind === 'item',
      ).length;
      accounts.push({ ...newAccount(id), version, capacity, atMs, stacks });
    }
    return rows(catalog, {
      accounts,
      holdings,
      stock: stock.map(({ sold, ...row }) => ({
        ...row,
        remaining: Math.min(quantityMax, row.offered + row.refilled) - Math.floor(row.offered * sold),
      })),
      purchases: counts.flatMap((count, i) => {
        const owner = accountIds[i % accountIds.length] ?? '';
        const id = listingIds[i % listingIds.length] ?? '';
        return count === null ? [] : [{ account: owner, listing: id, count, sinceMs: nowMs - count * 9_000 }];
      }),
    });
  });

/** A command with what it was made of, for whoever checks what it did. */
export interface Commanded {
  readonly command: Command;
  /** What its type finds wrong with an operation of its kind on record. */
  readonly check: (operation: RecordedOperation) => readonly string[];
  readonly input: ReadonlyMap<string, unknown>;
}

const unknown = 'unknown';
const anyAccountId = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...accountIds) },
  fc.constant(unknown),
);
const anyAssetId = fc.oneof({ weight: 20, arbitrary: fc.constantFrom(...assetIds) }, fc.constant(unknown));
const anyListingId = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom(...listingIds) },
  fc.constant(unknown),
);
const anyAssets = fc.array(fc.record({ asset: anyAssetId, quantity: anyAmount }), {
  minLength: 1,
  maxLength: 4,
});

const anyEarning: fc.Arbitrary<EarningOperation> = fc.record({
  id: fc.constant('o1'),
  type: fc.constantFrom('purchase', 'sale'),
  account: anyAccountId,
  // Around midnight, so that days matter.
  atMs: fc.integer({ min: -3, max: 2 }).map((ms) => Date.UTC(2026, 10, 21) + ms),
  position: fc.integer({ min: 1, max: 9 }),
  listing: fc.constant(null),
  assets: fc.subarray(assetIds),
});

function commanded<Input extends object>(type: CommandType<Input>, input: fc.Arbitrary<Input>) {
  return input.map((given): Commanded => ({
    command: commandOf(type, given),
    check: (operation) => type.check?.(operation) ?? [],
    input: new Map(Object.entries(given)),
  }));
}

/** A command of any type, on accounts, assets and listings that are there more often than not. */
export const anyCommand: fc.Arbitrary<Commanded> = fc.oneof(
  commanded(grant, fc.record({ account: anyAccountId, assets: anyAssets })),
  commanded(consumption, fc.record({ account: anyAccountId, assets: anyAssets })),
  commanded(transfer, fc.record({ from: anyAccountId, to: anyAccountId, assets: anyAssets })),
  commanded(purchase, fc.record({ account: anyAccountId, listing: anyListingId, quantity: anyAmount })),
  commanded(sale, fc.record({ account: anyAccountId, asset: anyAssetId, quantity: anyAmount })),
  commanded(
    reward,
    fc.record({ rule: fc.constantFrom(...ruleIds, ...ruleIds, unknown), earning: anyEarning }),
  ),
  commanded(restock, fc.record({ listing: anyListingId, quantity: anyAmount })),
);
