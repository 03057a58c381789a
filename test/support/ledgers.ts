import type { Account } from '../../src/domain/account.ts';
import type { Catalog } from '../../src/domain/catalog.ts';
import type { Command, Decision } from '../../src/domain/command.ts';
import type { Holding } from '../../src/domain/holding.ts';
import { Ledger, newAccount, type Effect, type LedgerRows } from '../../src/domain/ledger.ts';
import type { PurchaseCount } from '../../src/domain/listing.ts';
import type { Stock } from '../../src/domain/stock.ts';

/** Everything there is: far more than a command may look at. */
export interface Rows extends LedgerRows {
  readonly catalog: Catalog;
}

/** The time of every decision, unless told otherwise. */
export const nowMs = Date.UTC(2026, 10, 21, 10);

export function rows(catalog: Catalog, rest: Partial<LedgerRows> = {}): Rows {
  return { catalog, accounts: [], holdings: [], stock: [], purchases: [], ...rest };
}

/** An account that clients have put. */
export function account(id: string, rest: Partial<Account> = {}): Account {
  return { ...newAccount(id), declared: true, ...rest };
}

export function holding(owner: string, asset: string, quantity: number, reserved = 0): Holding {
  return { account: owner, asset, quantity, reserved };
}

export function stock(listing: string, remaining: number, rest: Partial<Stock> = {}): Stock {
  return { listing, offered: remaining, refilled: 0, remaining, refilledAtMs: nowMs, ...rest };
}

export function purchases(
  owner: string,
  listing: string,
  count: number,
  sinceMs: number = nowMs,
): PurchaseCount {
  return { account: owner, listing, count, sinceMs };
}

/** The ledger that an executor would load for this command: the rows of its footprint, and no others. */
export function ledgerFor(command: Command, { catalog, ...there }: Rows): Ledger {
  const footprint = command.footprint(catalog);
  const heldBy = (owner: string, what: string) => `${owner} ${what}`;
  const holdings = new Set(footprint.holdings.map((key) => heldBy(key.account, key.asset)));
  const counts = new Set(footprint.purchases.map((key) => heldBy(key.account, key.listing)));
  return Ledger.load(catalog, footprint, {
    accounts: there.accounts.filter(({ id }) => footprint.accounts.includes(id)),
    holdings: there.holdings.filter((row) => holdings.has(heldBy(row.account, row.asset))),
    stock: there.stock.filter(({ listing }) => footprint.stock.includes(listing)),
    purchases: there.purchases.filter((row) => counts.has(heldBy(row.account, row.listing))),
  });
}

export function decide(command: Command, there: Rows, atMs: number = nowMs): Decision {
  return command.decide(ledgerFor(command, there), { nowMs: atMs });
}

/** What an accepted command comes to; throws the rejection of another. */
export function carryOut(
  command: Command,
  there: Rows,
  atMs: number = nowMs,
): { effect: Effect; changed: LedgerRows } {
  const ledger = ledgerFor(command, there);
  const decision = command.decide(ledger, { nowMs: atMs });
  if (decision.kind === 'rejected') throw new Error(`it was rejected: ${decision.code}, ${decision.detail}`);
  return { effect: ledger.apply(decision.changes, atMs), changed: ledger.changed() };
}
