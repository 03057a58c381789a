import type { ReplicaProcess } from '../src/lifecycle/replica-process.ts';
import { select } from './throwaway-postgres.ts';

/** What is put up before a run, the same in each service: accounts with gold, and two listings. */
export interface Shop {
  readonly accounts: readonly string[];
  /** What each account has to begin with. */
  readonly gold: number;
  /** Of one unit of either listing. */
  readonly price: number;
  /** How many units of the limited listing there are. */
  readonly stock: number;
}

/** A listing sells one unit of the asset of the same name. */
export type ListingName = 'crown' | 'potion';
export const limitedListing: ListingName = 'crown';
export const unlimitedListing: ListingName = 'potion';
export const currency = 'gold';

/** A service that sells from a shop, and its processes. */
export interface ShopService {
  readonly replicas: readonly ReplicaProcess[];
  /** What every request is to carry. */
  readonly headers: Readonly<Record<string, string>>;
  readonly databaseUrl: string;
  stop(): Promise<void>;
}

export function accountNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `buyer-${index + 1}`);
}

/** One purchase as it is asked for, and what it was about. */
export interface PurchaseRequest {
  readonly key: string;
  readonly body: string;
  readonly account: string;
  readonly listing: ListingName;
}

/** The purchases that a service has confirmed: what its books must come to. */
export class ConfirmedPurchases {
  readonly #byListing = { crown: new Map<string, number>(), potion: new Map<string, number>() };
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add({ account, listing }: Pick<PurchaseRequest, 'account' | 'listing'>): void {
    const counts = this.#byListing[listing];
    counts.set(account, (counts.get(account) ?? 0) + 1);
    this.#count += 1;
  }

  of(account: string, listing: ListingName): number {
    return this.#byListing[listing].get(account) ?? 0;
  }

  sold(listing: ListingName): number {
    return [...this.#byListing[listing].values()].reduce((sum, count) => sum + count, 0);
  }
}

/** A service's books compared with what it has confirmed. */
export interface Audit {
  /** Purchases confirmed. */
  readonly expected: number;
  /** Purchases that the accounts' gold shows to have been paid for. */
  readonly found: number;
  /** Purchases of which an account's gold shows nothing. */
  readonly lost: number;
  /** Units of the limited listing that were confirmed beyond those on offer. */
  readonly oversold: number;
  /** Balances and stocks that are not, to the unit, what was confirmed; 0: the books are right. */
  readonly wrongRows: number;
}

/** Reads every balance and stock once all requests have been answered. `shop.stock` is all that was ever on offer. */
export async function audit(databaseUrl: string, shop: Shop, confirmed: ConfirmedPurchases): Promise<Audit> {
  const holdings = await select(databaseUrl, 'select account, asset, quantity::text from holdings');
  const stock = await select(databaseUrl, 'select listing, remaining::text from stock');
  const quantities = new Map(
    holdings.map(({ account, asset, quantity }) => [`${String(account)} ${String(asset)}`, Number(quantity)]),
  );
  let found = 0;
  let lost = 0;
  let wrongRows = 0;
  for (const account of shop.accounts) {
    const crowns = confirmed.of(account, 'crown');
    const potions = confirmed.of(account, 'potion');
    const gold = quantities.get(`${account} ${currency}`) ?? NaN;
    const paid = (shop.gold - gold) / shop.price;
    found += paid;
    lost += Math.max(0, crowns + potions - paid);
    if (paid !== crowns + potions) wrongRows += 1;
    if ((quantities.get(`${account} crown`) ?? 0) !== crowns) wrongRows += 1;
    if ((quantities.get(`${account} potion`) ?? 0) !== potions) wrongRows += 1;
  }
  const sold = confirmed.sold(limitedListing);
  const remaining = Number(stock.find(({ listing }) => listing === limitedListing)?.['remaining'] ?? NaN);
  if (remaining !== shop.stock - sold) wrongRows += 1;
  return { expected: confirmed.count, found, lost, oversold: Math.max(0, sold - shop.stock), wrongRows };
}
