import { accept, type CommandType, type Decision } from '../command.ts';
import type { RecordedOperation } from '../operation.ts';
import type { AssetQuantity } from '../quantity.ts';
import { notTradable, sameAccount } from '../rejection.ts';
import { isRejection, postings, requireAccount, requireAssets, settle } from '../settlement.ts';
import { reasonGiven } from './reason.ts';
import { takesNoStock } from './record-checks.ts';

export interface TransferInput {
  readonly from: string;
  readonly to: string;
  readonly assets: readonly AssetQuantity[];
  readonly reason?: string;
}

/** Moves assets from one account to another; creates the receiving account if there is none. */
export const transfer: CommandType<TransferInput> = {
  type: 'transfer',
  home: ({ from }) => from,
  footprint: ({ from, to, assets }) => ({
    accounts: [from, to],
    creates: from === to ? [] : [to],
    holdings: assets.flatMap(({ asset }) => [
      { account: from, asset },
      { account: to, asset },
    ]),
    stock: [],
    purchases: [],
  }),
  decide({ from, to, assets, reason }, state): Decision {
    if (from === to) return sameAccount(from);
    const refused = requireAccount(state, from) ?? requireAssets(state, assets);
    if (refused !== undefined) return refused;
    const kept = assets.find(({ asset }) => state.catalog.assets.get(asset)?.tradable === false);
    if (kept !== undefined) return notTradable(kept.asset);
    const taken = postings(from, assets, -1);
    if (isRejection(taken)) return taken;
    const given = postings(to, assets, 1);
    if (isRejection(given)) return given;
    const changes = settle(state, [...taken, ...given]);
    return isRejection(changes) ? changes : accept(changes, { from, to, ...reasonGiven(reason) });
  },
  check(operation) {
    const { home, receipt } = operation;
    const { from, to } = receipt.details;
    const parties = home === from ? [] : [`it belongs to ${home}, and is a transfer from another account`];
    for (const { account } of receipt.entries) {
      if (account !== from && account !== to)
        parties.push(`it touches account ${account}, which is not party to it`);
    }
    return [...parties, ...unbalanced(operation), ...takesNoStock(operation)];
  },
};

/** A transfer creates nothing and destroys nothing. */
function unbalanced({ receipt }: RecordedOperation): string[] {
  const sums = new Map<string, number>();
  for (const { asset, delta } of receipt.entries) sums.set(asset, (sums.get(asset) ?? 0) + delta);
  return [...sums]
    .filter(([, sum]) => sum !== 0)
    .map(([asset, sum]) => `its ${asset} sums to ${sum}, not to zero`);
}
