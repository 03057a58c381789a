import { commandOf } from '../../domain/command.ts';
import { reward, type RewardInput } from '../../domain/commands/reward.ts';
import type { Rejection } from '../../domain/rejection.ts';
import { ExecutionFailure } from '../../execution/failure.ts';
import type { OperationRequest, Outcome } from '../../execution/request.ts';
import { HeldUpError } from '../consumer.ts';

/** Who rewards are granted by. No caller can be called so: callers' names begin with what they are, `key:` or `player:`. */
const actor = 'rewards';

/**
 * The request for a reward. Its key and its hash are made of the operation and the rule alone, so that it is granted once
 * however often it is asked for, also when the rule was changed meanwhile. Such keys are never pruned.
 */
export function requestFor(input: RewardInput): OperationRequest {
  const name = `${input.earning.id}/${input.rule}`;
  return {
    command: commandOf(reward, input),
    actor,
    idempotencyKey: name,
    requestHash: name,
    ifMatch: null,
    dryRun: false,
  };
}

/**
 * Why rewards were refused, in the order in which they were asked for; undefined: granted, or rightly not. Throws where one
 * of them could not be decided: a `HeldUpError` when that will pass.
 */
export function refusals(outcomes: readonly PromiseSettledResult<Outcome>[]): (Rejection | undefined)[] {
  const failures = outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? [outcome.reason as unknown] : [],
  );
  const passing = failures.find(isPassing);
  if (passing !== undefined)
    throw new HeldUpError(`rewards can't be granted now: ${passing.code}`, { cause: passing });
  if (failures.length > 0) throw failures[0];
  return outcomes.map((outcome) => {
    if (outcome.status === 'rejected' || outcome.value.kind === 'done') return undefined;
    return outcome.value.code === 'reward_not_earned' ? undefined : outcome.value;
  });
}

function isPassing(failure: unknown): failure is ExecutionFailure {
  return failure instanceof ExecutionFailure && failure.code !== 'internal_error';
}
