import type { Account } from './account.ts';
import type { Catalog } from './catalog.ts';
import type { Holding } from './holding.ts';
import type { PurchaseCount } from './listing.ts';
import type { Stock } from './stock.ts';

/**
 * What a command decides over: the rows of its footprint, under their locks, as the commands before it in the
 * batch left them. Asking for a row outside the footprint throws: it would be an unlocked read.
 */
export interface State {
  readonly catalog: Catalog;
  /** Undefined: there is no such account. */
  account(id: string): Account | undefined;
  /** A holding that was never written is there, with nothing in it. */
  holding(account: string, asset: string): Holding;
  /** Undefined: the listing has no stock row. */
  stock(listing: string): Stock | undefined;
  /** Undefined: the account never bought of this listing while it had a limit. */
  purchases(account: string, listing: string): PurchaseCount | undefined;
}
