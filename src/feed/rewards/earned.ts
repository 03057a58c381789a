import type { RewardInput } from '../../domain/commands/reward.ts';
import type { Receipt } from '../../domain/operation.ts';
import { earns, type EarningOperation, type RewardRule } from '../../domain/reward-rule.ts';
import type { FeedOperation } from '../../repository/consumers.ts';

/** A reward that is to be granted, and the operation that earned it. */
export interface Earned {
  readonly operation: FeedOperation;
  readonly reward: RewardInput;
}

/** What operations earn by these rules, in the order of the operations. */
export function earnedBy(operations: readonly FeedOperation[], rules: readonly RewardRule[]): Earned[] {
  return operations.flatMap((operation) => {
    const about = rules.filter((rule) => mayEarn(rule, operation));
    // Most operations earn nothing, and need not be parsed for that.
    if (about.length === 0) return [];
    const earning = earningOperation(operation);
    return about
      .filter((rule) => earns(rule, earning))
      .map((rule) => ({ operation, reward: { rule: rule.id, earning } }));
  });
}

/** Whether it is worth a closer look: what a rule asks for is in the receipt, as a string. An identifier needs no escapes. */
function mayEarn({ on }: RewardRule, { type, receipt }: FeedOperation): boolean {
  return (
    type === on.type &&
    (on.listing === null || receipt.includes(`"${on.listing}"`)) &&
    (on.asset === null || receipt.includes(`"${on.asset}"`))
  );
}

function earningOperation({ id, type, home, atMs, position, receipt }: FeedOperation): EarningOperation {
  // The service's own receipt, as the executor wrote it.
  const { details, entries } = JSON.parse(receipt) as Receipt;
  const { listing } = details;
  return {
    id,
    type,
    account: home,
    atMs,
    position,
    listing: typeof listing === 'string' ? listing : null,
    assets: entries.filter(({ account }) => account === home).map(({ asset }) => asset),
  };
}
