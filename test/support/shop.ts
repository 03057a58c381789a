import type { Asset } from '../../src/domain/asset.ts';
import type { Catalog } from '../../src/domain/catalog.ts';
import type { Listing } from '../../src/domain/listing.ts';
import type { RewardRule } from '../../src/domain/reward-rule.ts';
import type { Repository } from '../../src/repository/repository.ts';

/** A currency that may be traded, unless told otherwise. */
export function asset(id: string, rest: Partial<Asset> = {}): Asset {
  const plain = { name: id, stackLimit: null, tradable: true, sellPrice: null, tags: [], properties: {} };
  return { id, kind: 'currency', ...plain, ...rest };
}

/** A listing without limits that gives one sword for ten gold, unless told otherwise. */
export function listing(id: string, rest: Partial<Listing> = {}): Listing {
  return {
    id,
    price: [{ asset: 'gold', quantity: 10 }],
    goods: [{ asset: 'sword', quantity: 1 }],
    limited: false,
    perAccountLimit: null,
    limitPeriodSeconds: null,
    opensAtMs: null,
    closesAtMs: null,
    restock: null,
    ...rest,
  };
}

/** A rule that gives ten experience for each purchase, from the beginning of the feed, unless told otherwise. */
export function rewardRule(id: string, rest: Partial<RewardRule> = {}): RewardRule {
  return {
    id,
    on: { type: 'purchase', listing: null, asset: null },
    grant: [{ asset: 'experience', quantity: 10 }],
    dailyLimit: null,
    enabled: true,
    since: 0,
    ...rest,
  };
}

export const gold = asset('gold');
export const sword = asset('sword', { kind: 'item', sellPrice: [{ asset: 'gold', quantity: 4 }] });
export const experience = asset('experience', { kind: 'stat', tradable: false });

export function catalogOf(
  assets: readonly Asset[],
  listings: readonly Listing[] = [],
  rewardRules: readonly RewardRule[] = [],
): Catalog {
  return {
    version: 1,
    assets: new Map(assets.map((row) => [row.id, row])),
    listings: new Map(listings.map((row) => [row.id, row])),
    rewardRules: new Map(rewardRules.map((row) => [row.id, row])),
  };
}

/** Puts assets, listings and reward rules into the catalog, limited listings with this much stock. */
export async function stockShop(
  repository: Repository,
  shop: {
    assets?: readonly Asset[];
    listings?: readonly Listing[];
    rewardRules?: readonly RewardRule[];
    stock?: number;
  },
): Promise<void> {
  const { assets = [], listings = [], rewardRules = [], stock = 0 } = shop;
  await repository.transaction(async (tx) => {
    const { nowMs } = await tx.lockCatalog().then(() => tx.now());
    const limited = listings.filter((row) => row.limited);
    tx.save({
      assets,
      listings,
      rewardRules,
      stock: limited.map(({ id }) => ({
        listing: id,
        offered: stock,
        refilled: 0,
        remaining: stock,
        refilledAtMs: nowMs,
      })),
    });
  });
}

/** Creates accounts with these quantities of each asset, as if by one operation each that is not on record. */
export async function openAccounts(
  repository: Repository,
  ids: readonly string[],
  owned: Readonly<Record<string, number>> = {},
): Promise<void> {
  await repository.transaction(async (tx) => {
    await Promise.all([tx.ensureAccounts(ids), tx.lockAccounts(ids)]);
    const holdings = ids.flatMap((account) =>
      Object.entries(owned).map(([assetId, quantity]) => ({
        account,
        asset: assetId,
        quantity,
        reserved: 0,
      })),
    );
    tx.save({ holdings, profiles: ids.map((id) => ({ id, capacity: null, properties: {} })) });
  });
}
