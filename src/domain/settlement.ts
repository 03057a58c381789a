import type { Change, Move } from './change.ts';
import { available } from './holding.ts';
import { newAccount, stacksAdded, sumMoves } from './ledger.ts';
import { isExact, type AssetQuantity } from './quantity.ts';
import {
  accountNotFound,
  assetNotFound,
  capacityExceeded,
  insufficientBalance,
  quantityOverflow,
  stackLimitExceeded,
  type Rejection,
} from './rejection.ts';
import type { State } from './state.ts';

/** What an operation takes from or gives to an account, before it is known whether it may. */
export type Posting = Omit<Move, 'kind'>;

/**
 * Adds the postings up, holding by holding, and only then checks the sums: whatever an operation takes and gives of
 * one asset counts as one change, however many lines name it. Answers the moves, or why they may not be made:
 * first what is missing, then what has no room.
 */
export function settle(state: State, postings: readonly Posting[]): readonly Change[] | Rejection {
  const moves = sumMoves(postings);
  for (const move of moves) {
    const refused = refuseTaking(state, move);
    if (refused !== undefined) return refused;
  }
  for (const move of moves) {
    const refused = refuseGiving(state, move);
    if (refused !== undefined) return refused;
  }
  return refuseStacks(state, moves) ?? moves;
}

/** The postings of `units` times these quantities, signed; a product beyond the largest quantity is refused. */
export function postings(
  account: string,
  assets: readonly AssetQuantity[],
  units: number,
): readonly Posting[] | Rejection {
  const result: Posting[] = [];
  for (const { asset, quantity } of assets) {
    const delta = quantity * units;
    if (!isExact(delta))
      return quantityOverflow(`${quantity} ${asset} times ${Math.abs(units)}`, { account, asset });
    result.push({ account, asset, delta });
  }
  return result;
}

/** Refuses an account that does not exist. */
export function requireAccount(state: State, account: string): Rejection | undefined {
  return state.account(account) === undefined ? accountNotFound(account) : undefined;
}

/** Refuses an asset that the catalog does not know. */
export function requireAssets(state: State, assets: readonly AssetQuantity[]): Rejection | undefined {
  const unknown = assets.find(({ asset }) => !state.catalog.assets.has(asset));
  return unknown === undefined ? undefined : assetNotFound(unknown.asset);
}

export function isRejection(value: object): value is Rejection {
  return 'kind' in value && value.kind === 'rejected';
}

function refuseTaking(state: State, { account, asset, delta }: Posting): Rejection | undefined {
  if (!isExact(delta)) return quantityOverflow(`the sum of ${asset}`, { account, asset });
  if (delta >= 0) return undefined;
  const has = available(state.holding(account, asset));
  if (has + delta >= 0) return undefined;
  return insufficientBalance({ account, asset, required: -delta, available: has });
}

function refuseGiving(state: State, { account, asset, delta }: Posting): Rejection | undefined {
  if (delta <= 0) return undefined;
  const required = state.holding(account, asset).quantity + delta;
  if (!isExact(required))
    return quantityOverflow(`account ${account}'s holding of ${asset}`, { account, asset });
  const stackLimit = state.catalog.assets.get(asset)?.stackLimit ?? null;
  if (stackLimit === null || required <= stackLimit) return undefined;
  return stackLimitExceeded({ account, asset, stackLimit, required });
}

/** An account over its capacity (it was lowered, say) may still trade one stack for another, but not add one. */
function refuseStacks(state: State, moves: readonly Move[]): Rejection | undefined {
  const added = new Map<string, number>();
  for (const move of moves) {
    const more = stacksAdded(state, move);
    if (more !== 0) added.set(move.account, (added.get(move.account) ?? 0) + more);
  }
  for (const [id, more] of added) {
    const { capacity, stacks } = state.account(id) ?? newAccount(id);
    if (more > 0 && capacity !== null && stacks + more > capacity) {
      return capacityExceeded({ account: id, capacity, required: stacks + more });
    }
  }
  return undefined;
}
