import type { Selectable } from 'kysely';
import type { Asset } from '../../domain/asset.ts';
import type { Catalog } from '../../domain/catalog.ts';
import type { Listing, RestockRule } from '../../domain/listing.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { AssetQuantity } from '../../domain/quantity.ts';
import type { RewardRule } from '../../domain/reward-rule.ts';
import type { Assets, Listings, RewardRules } from './database-types.ts';
import type { Row } from './pipeline.ts';
import { numberOf } from './rows.ts';

/** As `json_agg` gives it: times are text. */
type ListingRow = Omit<Selectable<Listings>, 'opens_at' | 'closes_at'> & {
  readonly opens_at: string | Date | null;
  readonly closes_at: string | Date | null;
};

/** Version, assets, listings, reward rules. */
type CatalogRow = [unknown, Selectable<Assets>[], ListingRow[], Selectable<RewardRules>[]];

/** The parsing boundary for JSON columns: they hold what `saveCatalog` put there. */
export function assetOf(row: Selectable<Assets>): Asset {
  return {
    id: row.id,
    name: row.name,
    kind: row.kind as Asset['kind'],
    stackLimit: row.stack_limit,
    tradable: row.tradable,
    sellPrice: row.sell_price as AssetQuantity[] | null,
    tags: row.tags,
    properties: row.properties as JsonObject,
  };
}

export function listingOf(row: ListingRow): Listing {
  return {
    id: row.id,
    price: row.price as unknown as AssetQuantity[],
    goods: row.goods as unknown as AssetQuantity[],
    limited: row.limited,
    perAccountLimit: row.per_account_limit,
    limitPeriodSeconds: row.limit_period_seconds,
    opensAtMs: row.opens_at === null ? null : new Date(row.opens_at).getTime(),
    closesAtMs: row.closes_at === null ? null : new Date(row.closes_at).getTime(),
    restock: row.restock as RestockRule | null,
  };
}

export function rewardRuleOf(row: Selectable<RewardRules>): RewardRule {
  return {
    id: row.id,
    on: { type: row.on_type, listing: row.on_listing, asset: row.on_asset },
    grant: row.grant as unknown as AssetQuantity[],
    dailyLimit: row.daily_limit,
    enabled: row.enabled,
    since: row.since,
  };
}

export function catalogOf(rows: readonly Row[]): Catalog {
  const [row] = rows;
  if (row === undefined) throw new Error('catalog_version has lost its row');
  const [version, assets, listings, rewardRules] = row as CatalogRow;
  return {
    version: numberOf(version),
    assets: new Map(assets.map((asset) => [asset.id, assetOf(asset)])),
    listings: new Map(listings.map((listing) => [listing.id, listingOf(listing)])),
    rewardRules: new Map(rewardRules.map((rule) => [rule.id, rewardRuleOf(rule)])),
  };
}
