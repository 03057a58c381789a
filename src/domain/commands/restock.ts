import { accept, listingHome, type CommandType, type Decision } from '../command.ts';
import { isExact } from '../quantity.ts';
import { catalogConflict, listingNotFound, quantityOverflow } from '../rejection.ts';
import { refillDue } from '../stock.ts';
import { takesNoStock } from './record-checks.ts';

export interface RestockInput {
  readonly listing: string;
  readonly quantity: number;
}

/** Offers more units of a limited listing. The one operation without an account: it belongs to the listing. */
export const restock: CommandType<RestockInput> = {
  type: 'restock',
  earns: false,
  home: ({ listing }) => listingHome(listing),
  footprint: ({ listing }, catalog) => ({
    accounts: [],
    creates: [],
    holdings: [],
    // Also while it is unlimited: the row guards the keys of the restocks there were.
    stock: catalog.listings.has(listing) ? [listing] : [],
    purchases: [],
  }),
  decide({ listing: id, quantity }, state, { nowMs }): Decision {
    const listing = state.catalog.listings.get(id);
    if (listing === undefined) return listingNotFound(id);
    const stock = listing.limited ? state.stock(id) : undefined;
    if (stock === undefined) {
      return catalogConflict(`listing ${id} is unlimited: there is no stock to add to`, { listing: id });
    }
    const refill = refillDue(stock, listing.restock, nowMs);
    const after = {
      stock: stock.offered + quantity,
      remaining: stock.remaining + refill.quantity + quantity,
    };
    if (!isExact(after.stock) || !isExact(after.remaining))
      return quantityOverflow(`the stock of listing ${id}`, { listing: id });
    return accept(
      [
        { kind: 'refill-stock', listing: id, ...refill },
        { kind: 'add-stock', listing: id, quantity },
      ],
      { listing: id, quantity, ...after },
    );
  },
  check(operation) {
    const { home, receipt, stock } = operation;
    const { listing, remaining } = receipt.details;
    const faults = takesNoStock(operation);
    if (typeof listing !== 'string' || home !== listingHome(listing))
      faults.push(`it belongs to ${home}, which is not the home of the listing in its details`);
    if (receipt.entries.length > 0) faults.push('it changed what accounts own');
    if (stock.length !== 1 || stock[0]?.listing !== listing || stock[0]?.remaining !== remaining)
      faults.push('what it did to stock is not what its details say');
    return faults;
  },
};
