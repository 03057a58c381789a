import type { Account } from '../../domain/account.ts';
import type { Holding } from '../../domain/holding.ts';
import type { PurchaseCount } from '../../domain/listing.ts';
import type { Stock } from '../../domain/stock.ts';
import type { AccountProfile, Changes, OperationRecord } from '../repository.ts';
import {
  checkAccount,
  checkAsset,
  checkEntry,
  checkHolding,
  checkListing,
  checkOperation,
  checkPurchaseCount,
  checkRewardRule,
  checkStock,
} from './constraints.ts';
import { ensuredAccount, rowKey, type Tables } from './tables.ts';

/**
 * All that a transaction is about to write. Whatever breaks a constraint throws while it is gathered, so what is
 * published is published whole.
 */
export class Draft {
  readonly #accounts;
  readonly #holdings;
  readonly #operations;
  readonly #keys;
  readonly #entries;
  readonly #stock;
  readonly #purchases;
  readonly #assets;
  readonly #listings;
  readonly #rewardRules;
  readonly #catalogVersion;

  constructor(tables: Tables) {
    this.#accounts = tables.accounts.draft();
    this.#holdings = tables.holdings.draft();
    this.#operations = tables.operations.draft();
    this.#keys = tables.keys.draft();
    this.#entries = tables.entries.draft();
    this.#stock = tables.stock.draft();
    this.#purchases = tables.purchases.draft();
    this.#assets = tables.assets.draft();
    this.#listings = tables.listings.draft();
    this.#rewardRules = tables.rewardRules.draft();
    this.#catalogVersion = tables.catalogVersion.draft();
  }

  publish(): void {
    for (const draft of [
      this.#accounts,
      this.#holdings,
      this.#operations,
      this.#keys,
      this.#entries,
      this.#stock,
      this.#purchases,
      this.#assets,
      this.#listings,
      this.#rewardRules,
      this.#catalogVersion,
    ])
      draft.publish();
  }

  ensureAccount(id: string): void {
    if (this.#accounts.get(id) === undefined) this.#accounts.put(id, ensuredAccount(id));
  }

  /** `position` numbers the operations in the order given. */
  save(changes: Changes, position: () => number): void {
    for (const operation of changes.operations ?? []) this.#saveOperation(operation, position());
    for (const account of changes.accounts ?? []) this.#saveAccount(account);
    for (const holding of changes.holdings ?? []) this.#saveHolding(holding);
    for (const count of changes.purchases ?? []) this.#savePurchaseCount(count);
    for (const stock of changes.stock ?? []) this.#saveStock(stock);
    for (const profile of changes.profiles ?? []) this.#saveProfile(profile);
    this.#saveCatalog(changes);
  }

  #saveOperation({ entries, ...operation }: OperationRecord, position: number): void {
    const row = { ...operation, position };
    checkOperation(row);
    this.#operations.insert(row.id, row);
    this.#keys.insert(rowKey(row.home, row.actor, row.idempotencyKey), row);
    for (const entry of entries) {
      const { account, version, asset } = entry;
      const line = { ...entry, operation: row.id, type: row.type, atMs: row.atMs };
      checkEntry(line);
      this.#entries.insert(rowKey(account, version, asset), line);
    }
  }

  #saveAccount({ id, version, stacks, atMs }: Account): void {
    const row = { ...(this.#accounts.get(id) ?? ensuredAccount(id)), version, stacks, atMs };
    checkAccount(row);
    this.#accounts.put(id, row);
  }

  #saveHolding({ account, asset, quantity, reserved }: Holding): void {
    const row = { account, asset, quantity, reserved };
    checkHolding(row);
    this.#holdings.put(rowKey(account, asset), row);
  }

  #savePurchaseCount({ account, listing, count, sinceMs }: PurchaseCount): void {
    const row = { account, listing, count, sinceMs };
    checkPurchaseCount(row);
    this.#purchases.put(rowKey(account, listing), row);
  }

  #saveStock({ listing, offered, refilled, remaining, refilledAtMs }: Stock): void {
    const row = { listing, offered, refilled, remaining, refilledAtMs };
    checkStock(row);
    this.#stock.put(listing, row);
  }

  #saveProfile({ id, capacity, properties }: Omit<AccountProfile, 'version'>): void {
    const before = this.#accounts.get(id) ?? ensuredAccount(id);
    const row = { ...before, capacity, properties: structuredClone(properties), declared: true };
    checkAccount(row);
    this.#accounts.put(id, row);
  }

  #saveCatalog({ assets = [], listings = [], rewardRules = [] }: Changes): void {
    for (const asset of assets) {
      checkAsset(asset);
      this.#assets.put(asset.id, structuredClone(asset));
    }
    for (const listing of listings) {
      checkListing(listing);
      this.#listings.put(listing.id, structuredClone(listing));
    }
    for (const rule of rewardRules) {
      checkRewardRule(rule);
      this.#rewardRules.put(rule.id, structuredClone(rule));
    }
    if (assets.length + listings.length + rewardRules.length === 0) return;
    this.#catalogVersion.put('', (this.#catalogVersion.get('') ?? 0) + 1);
  }
}
