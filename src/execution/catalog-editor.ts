import { isDeepStrictEqual } from 'node:util';
import type { Asset } from '../domain/asset.ts';
import type { Catalog } from '../domain/catalog.ts';
import type { Change } from '../domain/change.ts';
import { listingHome } from '../domain/command.ts';
import { Ledger } from '../domain/ledger.ts';
import type { Listing } from '../domain/listing.ts';
import { offer, type ListingInput } from '../domain/offer.ts';
import { receiptOf } from '../domain/receipt.ts';
import { assetNotFound, catalogConflict, listingNotFound, type Rejection } from '../domain/rejection.ts';
import { inForce, type RewardRuleInput } from '../domain/reward-rule.ts';
import type { Stock } from '../domain/stock.ts';
import type { Changes, Repository, Tx } from '../repository/repository.ts';
import { retrying, type BackoffSettings } from './backoff.ts';
import { newOperationId } from './operation-id.ts';

/** What became of a put: whether it made something new. */
export interface Put {
  readonly kind: 'put';
  readonly created: boolean;
}

/**
 * Changes the catalog, one change at a time: each locks it, and gives it the next version when it is really another.
 * No batch that begins after a change was answered decides by the catalog before it, on any replica: batches compare
 * versions inside their transactions. All of it is safe to repeat.
 */
export class CatalogEditor {
  readonly #repository: Repository;
  readonly #backoff: BackoffSettings;

  constructor(deps: { repository: Repository; backoff: BackoffSettings }) {
    this.#repository = deps.repository;
    this.#backoff = deps.backoff;
  }

  /** Creates or replaces an asset. Its kind stays what it is: accounts count their stacks by it. */
  async putAsset(asset: Asset): Promise<Put | Rejection> {
    return await this.#edit(async (tx) => {
      const catalog = await tx.lockCatalog();
      const before = catalog.assets.get(asset.id);
      if (before !== undefined && before.kind !== asset.kind) {
        return catalogConflict(`asset ${asset.id} is of kind ${before.kind}, and stays so`, {
          asset: asset.id,
          kind: before.kind,
        });
      }
      if (asset.sellPrice?.some((line) => line.asset === asset.id) === true) {
        return catalogConflict(`asset ${asset.id} can’t be paid for with itself`, { asset: asset.id });
      }
      const unknown = asset.sellPrice?.find((line) => !catalog.assets.has(line.asset));
      if (unknown !== undefined) return assetNotFound(unknown.asset);
      if (!isDeepStrictEqual(asset, before)) tx.save({ assets: [asset] });
      return { kind: 'put', created: before === undefined };
    });
  }

  /** Creates or replaces a listing. A change of its stock is on record, as an operation of type `restock`. Locks the stock. */
  async putListing(input: ListingInput, actor: string): Promise<Put | Rejection> {
    return await this.#edit(async (tx) => {
      const [catalog, [stock], { nowMs }] = await Promise.all([
        tx.lockCatalog(),
        tx.lockStock([input.id]),
        tx.now(),
      ]);
      const unknown = [...input.price, ...input.goods].find((line) => !catalog.assets.has(line.asset));
      if (unknown !== undefined) return assetNotFound(unknown.asset);
      const before = catalog.listings.get(input.id);
      const offered = offer(input, { listing: before, stock }, nowMs);
      if (offered.kind === 'rejected') return offered;
      if (!isDeepStrictEqual(offered.listing, before)) tx.save({ listings: [offered.listing] });
      if (offered.changes.length > 0) tx.save(restocking({ catalog, stock, nowMs, actor, ...offered }));
      return { kind: 'put', created: before === undefined };
    });
  }

  /** Creates or replaces a reward rule. When it comes into force, operations that are there already earn nothing by it. */
  async putRewardRule(input: RewardRuleInput): Promise<Put | Rejection> {
    return await this.#edit(async (tx) => {
      const [catalog, lastPosition] = await Promise.all([tx.lockCatalog(), tx.lastPosition()]);
      const { listing, asset } = input.on;
      if (listing !== null && !catalog.listings.has(listing)) return listingNotFound(listing);
      const named = [...(asset === null ? [] : [asset]), ...input.grant.map((line) => line.asset)];
      const unknown = named.find((id) => !catalog.assets.has(id));
      if (unknown !== undefined) return assetNotFound(unknown);
      const before = catalog.rewardRules.get(input.id);
      const rule = inForce(input, before, lastPosition);
      if (!isDeepStrictEqual(rule, before)) tx.save({ rewardRules: [rule] });
      return { kind: 'put', created: before === undefined };
    });
  }

  async #edit<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result> {
    return await retrying(this.#backoff, async () => await this.#repository.transaction(work));
  }
}

/** The operation that puts a change of stock on record. */
function restocking(edit: {
  catalog: Catalog;
  listing: Listing;
  stock: Stock | undefined;
  changes: readonly Change[];
  nowMs: number;
  actor: string;
}): Changes {
  const { catalog, listing, stock, changes, nowMs, actor } = edit;
  const footprint = { accounts: [], creates: [], holdings: [], stock: [listing.id], purchases: [] };
  const rows = { accounts: [], holdings: [], purchases: [], stock: stock === undefined ? [] : [stock] };
  const ledger = Ledger.load(catalog, footprint, rows);
  const effect = ledger.apply(changes, nowMs);
  const after = ledger.stock(listing.id);
  const details = {
    listing: listing.id,
    quantity: (after?.offered ?? 0) - (stock?.offered ?? 0),
    stock: after?.offered ?? 0,
    remaining: after?.remaining ?? 0,
  };
  const id = newOperationId();
  const head = { id, type: 'restock', actor };
  const operation = {
    ...head,
    home: listingHome(listing.id),
    atMs: effect.atMs,
    idempotencyKey: id,
    requestHash: '',
    receipt: JSON.stringify(receiptOf({ ...head, dryRun: false, details }, effect)),
    entries: [],
    stock: effect.stock,
  };
  return { operations: [operation], ...ledger.changed() };
}
