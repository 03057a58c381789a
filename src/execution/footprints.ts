import type { Footprint, HoldingKey, PurchaseKey } from '../domain/command.ts';

/** One footprint that covers them all, each row named once. */
export function unite(footprints: readonly Footprint[]): Footprint {
  const accounts = new Set<string>();
  const creates = new Set<string>();
  const stock = new Set<string>();
  const holdings = new Map<string, HoldingKey>();
  const purchases = new Map<string, PurchaseKey>();
  for (const footprint of footprints) {
    for (const account of footprint.accounts) accounts.add(account);
    for (const account of footprint.creates) creates.add(account);
    for (const listing of footprint.stock) stock.add(listing);
    for (const key of footprint.holdings) holdings.set(`${key.account} ${key.asset}`, key);
    for (const key of footprint.purchases) purchases.set(`${key.account} ${key.listing}`, key);
  }
  return {
    accounts: [...accounts],
    creates: [...creates],
    holdings: [...holdings.values()],
    stock: [...stock],
    purchases: [...purchases.values()],
  };
}
