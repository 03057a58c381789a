import { accept, type CommandType, type Decision } from '../command.ts';
import type { AssetQuantity } from '../quantity.ts';
import { isRejection, postings, requireAccount, requireAssets, settle } from '../settlement.ts';
import { reasonGiven } from './reason.ts';
import { movesOnly, takesNoStock, touchesOnlyItsHome } from './record-checks.ts';

export interface ConsumptionInput {
  readonly account: string;
  readonly assets: readonly AssetQuantity[];
  readonly reason?: string;
}

/** Takes assets from an account for good. */
export const consumption: CommandType<ConsumptionInput> = {
  type: 'consumption',
  home: ({ account }) => account,
  footprint: ({ account, assets }) => ({
    accounts: [account],
    creates: [],
    holdings: assets.map(({ asset }) => ({ account, asset })),
    stock: [],
    purchases: [],
  }),
  decide({ account, assets, reason }, state): Decision {
    const refused = requireAccount(state, account) ?? requireAssets(state, assets);
    if (refused !== undefined) return refused;
    const taken = postings(account, assets, -1);
    if (isRejection(taken)) return taken;
    const changes = settle(state, taken);
    return isRejection(changes) ? changes : accept(changes, reasonGiven(reason));
  },
  check: (operation) => [
    ...touchesOnlyItsHome(operation),
    ...takesNoStock(operation),
    ...movesOnly(-1, operation),
  ],
};
