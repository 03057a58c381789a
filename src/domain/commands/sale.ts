import { accept, type CommandType, type Decision } from '../command.ts';
import { assetNotFound, notSellable } from '../rejection.ts';
import { isRejection, postings, requireAccount, settle } from '../settlement.ts';
import { takesNoStock, touchesOnlyItsHome } from './record-checks.ts';

export interface SaleInput {
  readonly account: string;
  readonly asset: string;
  readonly quantity: number;
}

/** Sells assets back to the shop for their sell price. */
export const sale: CommandType<SaleInput> = {
  type: 'sale',
  home: ({ account }) => account,
  footprint({ account, asset }, catalog) {
    const paid = catalog.assets.get(asset)?.sellPrice ?? [];
    return {
      accounts: [account],
      creates: [],
      holdings: [{ account, asset }, ...paid.map((line) => ({ account, asset: line.asset }))],
      stock: [],
      purchases: [],
    };
  },
  decide({ account, asset: id, quantity }, state): Decision {
    const refused = requireAccount(state, account);
    if (refused !== undefined) return refused;
    const asset = state.catalog.assets.get(id);
    if (asset === undefined) return assetNotFound(id);
    if (asset.sellPrice === null) return notSellable(id);
    const sold = postings(account, [{ asset: id, quantity }], -1);
    if (isRejection(sold)) return sold;
    const paid = postings(account, asset.sellPrice, quantity);
    if (isRejection(paid)) return paid;
    const changes = settle(state, [...sold, ...paid]);
    return isRejection(changes) ? changes : accept(changes, { asset: id, quantity });
  },
  check: (operation) => [...touchesOnlyItsHome(operation), ...takesNoStock(operation)],
};
