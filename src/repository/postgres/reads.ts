import { sql, type Kysely } from 'kysely';
import type { AssetKind, Asset } from '../../domain/asset.ts';
import type { Catalog } from '../../domain/catalog.ts';
import type { Json, JsonObject } from '../../domain/json.ts';
import { levelOf } from '../../domain/level.ts';
import type { RewardRule } from '../../domain/reward-rule.ts';
import { refillDue, type Stock } from '../../domain/stock.ts';
import type {
  AccountProfile,
  EntriesQuery,
  EntryRecord,
  FeedItem,
  HeldAsset,
  Inventory,
  InventoryQuery,
  ListingOnSale,
  Page,
  Reads,
  StoredReceipt,
} from '../repository.ts';
import { assetOf, catalogOf, listingOf, rewardRuleOf } from './catalog-rows.ts';
import type { DB } from './database-types.ts';
import { translated } from './errors.ts';
import { feedHorizon } from './horizon.ts';
import { catalog } from './statements.ts';

/** Reads through Kysely, each one statement: what it answers was true at one moment. */
export class PostgresReads implements Reads {
  readonly #db: Kysely<DB>;

  constructor(db: Kysely<DB>) {
    this.#db = db;
  }

  async catalog(): Promise<Catalog> {
    return await translated(async () => {
      const { rows } = await sql
        .raw<Record<'version' | 'assets' | 'listings' | 'reward_rules', unknown>>(catalog.text)
        .execute(this.#db);
      return catalogOf(rows.map((row) => [row.version, row.assets, row.listings, row.reward_rules]));
    });
  }

  async asset(id: string): Promise<Asset | undefined> {
    return await translated(async () => {
      const row = await this.#db.selectFrom('assets').selectAll().where('id', '=', id).executeTakeFirst();
      return row === undefined ? undefined : assetOf(row);
    });
  }

  async assets({ after, limit }: Page): Promise<readonly Asset[]> {
    return await translated(async () => {
      const page = this.#db
        .selectFrom('assets')
        .selectAll()
        .where('id', '>', after ?? '');
      return (await page.orderBy('id').limit(limit).execute()).map(assetOf);
    });
  }

  async listing(id: string): Promise<ListingOnSale | undefined> {
    return await translated(async () => {
      const row = await this.#listings().where('listings.id', '=', id).executeTakeFirst();
      return row === undefined ? undefined : listingOnSale(row);
    });
  }

  async listings({ after, limit }: Page): Promise<readonly ListingOnSale[]> {
    return await translated(async () => {
      const page = this.#listings().where('listings.id', '>', after ?? '');
      return (await page.orderBy('listings.id').limit(limit).execute()).map(listingOnSale);
    });
  }

  async rewardRule(id: string): Promise<RewardRule | undefined> {
    return await translated(async () => {
      const rules = this.#db.selectFrom('reward_rules').selectAll();
      const row = await rules.where('id', '=', id).executeTakeFirst();
      return row === undefined ? undefined : rewardRuleOf(row);
    });
  }

  async rewardRules({ after, limit }: Page): Promise<readonly RewardRule[]> {
    return await translated(async () => {
      const rules = this.#db.selectFrom('reward_rules').selectAll();
      const page = rules
        .where('id', '>', after ?? '')
        .orderBy('id')
        .limit(limit);
      return (await page.execute()).map(rewardRuleOf);
    });
  }

  async enabledRewardRules(): Promise<readonly RewardRule[]> {
    return await translated(async () => {
      const rules = this.#db.selectFrom('reward_rules').selectAll();
      return (await rules.where('enabled', '=', true).execute()).map(rewardRuleOf);
    });
  }

  async account(id: string): Promise<AccountProfile | undefined> {
    return await translated(async () => {
      const row = await this.#db
        .selectFrom('accounts')
        .select(['id', 'version', 'capacity', 'properties'])
        .where('id', '=', id)
        .where(exists)
        .executeTakeFirst();
      return row === undefined ? undefined : { ...row, properties: row.properties as JsonObject };
    });
  }

  async inventory(account: string, query: InventoryQuery): Promise<Inventory | undefined> {
    return await translated(async () => {
      const rows = await this.#db
        .selectFrom('accounts')
        .leftJoinLateral(
          (eb) => {
            let held = eb
              .selectFrom('holdings')
              .innerJoin('assets', 'assets.id', 'holdings.asset')
              .select(['holdings.asset', 'assets.kind', 'holdings.quantity', 'holdings.reserved'])
              .select(sql<Json | null>`assets.properties -> 'levels'`.as('levels'))
              .whereRef('holdings.account', '=', 'accounts.id')
              .where('holdings.quantity', '>', 0)
              .where('holdings.asset', '>', query.after ?? '')
              .orderBy('holdings.asset')
              .limit(query.limit);
            if (query.kind !== undefined) held = held.where('assets.kind', '=', query.kind);
            if (query.tag !== undefined) held = held.where(sql<boolean>`${query.tag} = any (assets.tags)`);
            if (query.asset !== undefined) held = held.where('holdings.asset', '=', query.asset);
            return held.as('held');
          },
          (join) => join.onTrue(),
        )
        .select(['accounts.version', 'held.asset', 'held.kind', 'held.quantity', 'held.reserved'])
        .select('held.levels')
        .where('accounts.id', '=', account)
        .where(exists)
        .orderBy('held.asset')
        .execute();
      const [first] = rows;
      if (first === undefined) return undefined;
      return { version: first.version, holdings: rows.flatMap(heldAssets) };
    });
  }

  async entries(
    account: string,
    { asset, before, limit }: EntriesQuery,
  ): Promise<readonly EntryRecord[] | undefined> {
    return await translated(async () => {
      const rows = await this.#db
        .selectFrom('accounts')
        .leftJoinLateral(
          (eb) => {
            let lines = eb
              .selectFrom('entries')
              .select(['operation', 'type', sql<number>`(extract(epoch from at) * 1000)::float8`.as('atMs')])
              .select(['entries.version', 'asset', 'delta', 'balance'])
              .whereRef('account', '=', 'accounts.id')
              .orderBy('entries.version', 'desc')
              .orderBy('asset', 'desc')
              .limit(limit);
            if (asset !== undefined) lines = lines.where('asset', '=', asset);
            if (before !== null) {
              lines = lines.where(
                sql<boolean>`(entries.version, asset) < (${before.version}::bigint, ${before.asset})`,
              );
            }
            return lines.as('line');
          },
          (join) => join.onTrue(),
        )
        .select([
          'line.operation',
          'line.type',
          'line.atMs',
          'line.version',
          'line.asset',
          'line.delta',
          'line.balance',
        ])
        .where('accounts.id', '=', account)
        .where(exists)
        .orderBy('line.version', 'desc')
        .orderBy('line.asset', 'desc')
        .execute();
      if (rows.length === 0) return undefined;
      return rows.flatMap((row) => (row.operation === null ? [] : [row as EntryRecord]));
    });
  }

  async operation(id: string): Promise<StoredReceipt | undefined> {
    // The column would refuse anything else, but all that was asked is whether there is such an operation.
    if (!uuid.test(id)) return undefined;
    return await translated(
      async () =>
        await this.#db
          .selectFrom('operations')
          .select(['home', sql<string>`receipt::text`.as('receipt')])
          .where('id', '=', id)
          .executeTakeFirst(),
    );
  }

  async feed(after: number, limit: number, end?: number): Promise<readonly FeedItem[]> {
    return await translated(async () => {
      const horizon = end ?? (await this.#horizon());
      return await this.#db
        .selectFrom('operations')
        .select(['position', sql<string>`receipt::text`.as('receipt')])
        .where('position', '>', after)
        .where('position', '<=', horizon)
        .orderBy('position')
        .limit(limit)
        .execute();
    });
  }

  async feedEnd(): Promise<number> {
    return await translated(async () => await this.#horizon());
  }

  async ping(): Promise<void> {
    await translated(async () => await sql`select 1`.execute(this.#db));
  }

  async #horizon(): Promise<number> {
    return await this.#db
      .connection()
      .execute(
        async (connection) =>
          await feedHorizon(
            async (statement) =>
              (await sql.raw<{ position: number | null }>(statement).execute(connection)).rows,
          ),
      );
  }

  #listings() {
    return this.#db
      .selectFrom('listings')
      .leftJoin('stock', 'stock.listing', 'listings.id')
      .selectAll('listings')
      .select(['stock.offered', 'stock.refilled', 'stock.remaining'])
      .select(sql<number | null>`(extract(epoch from stock.refilled_at) * 1000)::float8`.as('refilledAtMs'))
      .select(sql<number>`(extract(epoch from clock_timestamp()) * 1000)::float8`.as('nowMs'));
  }
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A row that was only ensured, to have something to lock, is not an account yet. */
const exists = sql<boolean>`(accounts.version > 0 or accounts.declared)`;

/** None, where the row says only that the account is there. */
function heldAssets(row: {
  asset: string | null;
  kind: string | null;
  quantity: number | null;
  reserved: number | null;
  levels: Json | null;
}): HeldAsset[] {
  const { asset, quantity, reserved, levels } = row;
  if (asset === null || row.kind === null || quantity === null || reserved === null) return [];
  const kind = row.kind as AssetKind;
  const level = levelOf({ kind, levels }, quantity);
  return [{ asset, kind, quantity, reserved, ...(level === undefined ? {} : { level }) }];
}

type ListingRow = Parameters<typeof listingOf>[0] &
  NullableOf<Omit<Stock, 'listing'>> & { readonly nowMs: number };
type NullableOf<Fields> = { [Field in keyof Fields]: Fields[Field] | null };

function listingOnSale(row: ListingRow): ListingOnSale {
  const listing = listingOf(row);
  const { offered, refilled, remaining, refilledAtMs, nowMs } = row;
  if (
    !listing.limited ||
    offered === null ||
    refilled === null ||
    remaining === null ||
    refilledAtMs === null
  ) {
    return { ...listing, stock: null };
  }
  const due = refillDue(
    { listing: listing.id, offered, refilled, remaining, refilledAtMs },
    listing.restock,
    nowMs,
  );
  return { ...listing, stock: { offered, remaining: remaining + due.quantity } };
}
