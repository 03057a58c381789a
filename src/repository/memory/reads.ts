import { accountExists } from '../../domain/account.ts';
import type { Asset } from '../../domain/asset.ts';
import type { Catalog } from '../../domain/catalog.ts';
import { compareIdentifiers } from '../../domain/identifier.ts';
import { levelOf } from '../../domain/level.ts';
import type { Listing } from '../../domain/listing.ts';
import type { RewardRule } from '../../domain/reward-rule.ts';
import { refillDue } from '../../domain/stock.ts';
import type {
  AccountProfile,
  EntriesQuery,
  EntryRecord,
  FeedItem,
  Inventory,
  InventoryQuery,
  ListingOnSale,
  Page,
  Reads,
  StoredReceipt,
} from '../repository.ts';
import type { MemoryDatabase } from './memory-database.ts';
import { rowKey, type AccountRow, type EntryRow } from './tables.ts';

/** Reads of what was committed. Each is one step of the event loop: nothing can happen while it looks. */
export class MemoryReads implements Reads {
  readonly #database: MemoryDatabase;

  constructor(database: MemoryDatabase) {
    this.#database = database;
  }

  catalog(): Promise<Catalog> {
    return Promise.resolve(catalogOf(this.#database));
  }

  asset(id: string): Promise<Asset | undefined> {
    return Promise.resolve(this.#database.tables.assets.get(id));
  }

  assets(page: Page): Promise<readonly Asset[]> {
    return Promise.resolve(pageOf(this.#database.tables.assets.all(), page, ({ id }) => id));
  }

  listing(id: string): Promise<ListingOnSale | undefined> {
    const listing = this.#database.tables.listings.get(id);
    return Promise.resolve(listing === undefined ? undefined : this.#onSale(listing));
  }

  listings(page: Page): Promise<readonly ListingOnSale[]> {
    const listings = pageOf(this.#database.tables.listings.all(), page, ({ id }) => id);
    return Promise.resolve(listings.map((listing) => this.#onSale(listing)));
  }

  rewardRule(id: string): Promise<RewardRule | undefined> {
    return Promise.resolve(this.#database.tables.rewardRules.get(id));
  }

  rewardRules(page: Page): Promise<readonly RewardRule[]> {
    return Promise.resolve(pageOf(this.#database.tables.rewardRules.all(), page, ({ id }) => id));
  }

  enabledRewardRules(): Promise<readonly RewardRule[]> {
    return Promise.resolve(this.#database.tables.rewardRules.all().filter(({ enabled }) => enabled));
  }

  account(id: string): Promise<AccountProfile | undefined> {
    const account = this.#account(id);
    if (account === undefined) return Promise.resolve(undefined);
    const { version, capacity, properties } = account;
    return Promise.resolve({ id, version, capacity, properties });
  }

  inventory(account: string, query: InventoryQuery): Promise<Inventory | undefined> {
    const owner = this.#account(account);
    if (owner === undefined) return Promise.resolve(undefined);
    const { holdings, assets } = this.#database.tables;
    const held = assets.all().flatMap(({ id, kind, tags, properties }) => {
      const { quantity, reserved } = holdings.get(rowKey(account, id)) ?? { quantity: 0, reserved: 0 };
      const wanted =
        quantity > 0 &&
        (query.kind === undefined || query.kind === kind) &&
        (query.tag === undefined || tags.includes(query.tag)) &&
        (query.asset === undefined || query.asset === id);
      const level = levelOf({ kind, levels: properties['levels'] }, quantity);
      const shown = { asset: id, kind, quantity, reserved, ...(level === undefined ? {} : { level }) };
      return wanted ? [shown] : [];
    });
    return Promise.resolve({
      version: owner.version,
      holdings: pageOf(held, query, ({ asset }) => asset),
    });
  }

  entries(
    account: string,
    { asset, before, limit }: EntriesQuery,
  ): Promise<readonly EntryRecord[] | undefined> {
    if (this.#account(account) === undefined) return Promise.resolve(undefined);
    const lines = this.#database.tables.entries
      .all()
      .filter((entry) => entry.account === account && (asset === undefined || entry.asset === asset))
      .filter((entry) => before === null || compareEntries(entry, before) < 0)
      .sort((a, b) => compareEntries(b, a))
      .slice(0, limit);
    return Promise.resolve(lines.map(entryRecordOf));
  }

  operation(id: string): Promise<StoredReceipt | undefined> {
    const operation = this.#database.tables.operations.get(id);
    return Promise.resolve(
      operation === undefined ? undefined : { home: operation.home, receipt: operation.receipt },
    );
  }

  feed(after: number, limit: number, end = this.#database.positions.horizon()): Promise<readonly FeedItem[]> {
    const items = this.#database.tables.operations
      .all()
      .filter(({ position }) => position > after && position <= end)
      .sort((a, b) => a.position - b.position)
      .slice(0, limit);
    return Promise.resolve(items.map(({ position, receipt }) => ({ position, receipt })));
  }

  feedEnd(): Promise<number> {
    return Promise.resolve(this.#database.positions.horizon());
  }

  ping(): Promise<void> {
    return Promise.resolve();
  }

  #account(id: string): AccountRow | undefined {
    const account = this.#database.tables.accounts.get(id);
    return account !== undefined && accountExists(account) ? account : undefined;
  }

  #onSale(listing: Listing): ListingOnSale {
    const stock = this.#database.tables.stock.get(listing.id);
    if (!listing.limited || stock === undefined) return { ...listing, stock: null };
    const { quantity } = refillDue(stock, listing.restock, this.#database.nowMs());
    return { ...listing, stock: { offered: stock.offered, remaining: stock.remaining + quantity } };
  }
}

export function catalogOf({ tables }: MemoryDatabase): Catalog {
  return {
    version: catalogVersionOf(tables),
    assets: new Map(tables.assets.all().map((asset) => [asset.id, asset])),
    listings: new Map(tables.listings.all().map((listing) => [listing.id, listing])),
    rewardRules: new Map(tables.rewardRules.all().map((rule) => [rule.id, rule])),
  };
}

export function catalogVersionOf({ catalogVersion }: MemoryDatabase['tables']): number {
  const version = catalogVersion.get('');
  if (version === undefined) throw new Error('the catalog version has lost its row');
  return version;
}

function pageOf<Row>(rows: readonly Row[], { after, limit }: Page, idOf: (row: Row) => string): Row[] {
  return rows
    .filter((row) => after === null || compareIdentifiers(idOf(row), after) > 0)
    .sort((a, b) => compareIdentifiers(idOf(a), idOf(b)))
    .slice(0, limit);
}

function compareEntries(
  a: Pick<EntryRow, 'version' | 'asset'>,
  b: Pick<EntryRow, 'version' | 'asset'>,
): number {
  return a.version - b.version || compareIdentifiers(a.asset, b.asset);
}

function entryRecordOf({ operation, type, atMs, version, asset, delta, balance }: EntryRow): EntryRecord {
  return { operation, type, atMs, version, asset, delta, balance };
}
