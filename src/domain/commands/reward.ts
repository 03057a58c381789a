import type { Change } from '../change.ts';
import { accept, type CommandType, type Decision } from '../command.ts';
import type { RecordedOperation } from '../operation.ts';
import { rewardNotEarned, type Rejection } from '../rejection.ts';
import { dayOf, earns, rewardCounter, type EarningOperation, type RewardRule } from '../reward-rule.ts';
import { isRejection, postings, requireAccount, settle } from '../settlement.ts';
import type { State } from '../state.ts';
import { timestamp } from '../time.ts';
import { movesOnly, takesNoStock, touchesOnlyItsHome } from './record-checks.ts';

export interface RewardInput {
  readonly rule: string;
  readonly earning: EarningOperation;
}

/**
 * Grants what a rule of the catalog gives for an operation, to that operation's account. Whether the rule still does,
 * and whether the account has had its share of the day, is decided under the account's lock; where not, it is rejected
 * as `reward_not_earned`. No route takes it: the feed's consumer makes them.
 */
export const reward: CommandType<RewardInput> = {
  type: 'reward',
  earns: false,
  home: ({ earning }) => earning.account,
  footprint({ rule: id, earning: { account, atMs } }, catalog) {
    const rule = catalog.rewardRules.get(id);
    const limited = rule !== undefined && rule.dailyLimit !== null;
    return {
      accounts: [account],
      creates: [],
      holdings: (rule?.grant ?? []).map(({ asset }) => ({ account, asset })),
      stock: [],
      purchases: limited ? [{ account, listing: rewardCounter(id, dayOf(atMs)) }] : [],
    };
  },
  decide({ rule: id, earning }, state): Decision {
    const rule = state.catalog.rewardRules.get(id);
    if (rule === undefined || !earns(rule, earning))
      return rewardNotEarned(`reward rule ${id} gives nothing for operation ${earning.id}`, { rule: id });
    const missing = requireAccount(state, earning.account);
    if (missing !== undefined) return missing;
    const counted = countReward(state, rule, earning);
    if (isRejection(counted)) return counted;
    const given = postings(earning.account, rule.grant, 1);
    if (isRejection(given)) return given;
    const moves = settle(state, given);
    if (isRejection(moves)) return moves;
    const details = { rule: id, operation: earning.id, earnedAt: timestamp(earning.atMs) };
    return accept([...moves, ...counted], details);
  },
  check: (operation) => [
    ...touchesOnlyItsHome(operation),
    ...takesNoStock(operation),
    ...movesOnly(1, operation),
    ...unexplained(operation),
  ],
};

/** Counts with the day of the operation that earned it, however late the reward comes. */
function countReward(
  state: State,
  { id, dailyLimit }: RewardRule,
  { account, atMs }: EarningOperation,
): readonly Change[] | Rejection {
  if (dailyLimit === null) return [];
  const day = dayOf(atMs);
  const counter = rewardCounter(id, day);
  const count = state.purchases(account, counter)?.count ?? 0;
  if (count >= dailyLimit) {
    const detail = `account ${account} has earned ${count} of at most ${dailyLimit} rewards by rule ${id} on ${day}`;
    return rewardNotEarned(detail, { account, rule: id, limit: dailyLimit });
  }
  return [{ kind: 'count-purchases', account, listing: counter, count: count + 1, sinceMs: Date.parse(day) }];
}

function unexplained({ receipt: { details } }: RecordedOperation): string[] {
  const { rule, operation, earnedAt } = details;
  const said = typeof rule === 'string' && typeof operation === 'string' && typeof earnedAt === 'string';
  return said ? [] : ['its details do not say by which rule which operation earned it, and when'];
}
