import { accept, type CommandType, type Decision } from '../command.ts';
import type { AssetQuantity } from '../quantity.ts';
import { isRejection, postings, requireAssets, settle } from '../settlement.ts';
import { reasonGiven } from './reason.ts';
import { movesOnly, takesNoStock, touchesOnlyItsHome } from './record-checks.ts';

export interface GrantInput {
  readonly account: string;
  readonly assets: readonly AssetQuantity[];
  readonly reason?: string;
}

/** Gives assets to an account out of nothing; creates the account if there is none. */
export const grant: CommandType<GrantInput> = {
  type: 'grant',
  home: ({ account }) => account,
  footprint: ({ account, assets }) => ({
    accounts: [account],
    creates: [account],
    holdings: assets.map(({ asset }) => ({ account, asset })),
    stock: [],
    purchases: [],
  }),
  decide({ account, assets, reason }, state): Decision {
    const unknown = requireAssets(state, assets);
    if (unknown !== undefined) return unknown;
    const given = postings(account, assets, 1);
    if (isRejection(given)) return given;
    const changes = settle(state, given);
    return isRejection(changes) ? changes : accept(changes, reasonGiven(reason));
  },
  check: (operation) => [
    ...touchesOnlyItsHome(operation),
    ...takesNoStock(operation),
    ...movesOnly(1, operation),
  ],
};
