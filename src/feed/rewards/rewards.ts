import type { Executor } from '../../execution/executor.ts';
import type { FeedOperation, Turn } from '../../repository/consumers.ts';
import type { Reads } from '../../repository/repository.ts';
import type { ConsumerLog } from '../consumer-loop.ts';
import type { Consumer } from '../consumer.ts';
import { sleepUntil } from '../sleep-until.ts';
import { earnedBy } from './earned.ts';
import { refusals, requestFor } from './granting.ts';

/**
 * Grants what operations earn by the catalog's reward rules, each exactly once: every reward is an operation with a key of
 * its own, and the cursor moves after all of a page were answered, so that whoever repeats the page has them replayed.
 *
 * A reward that the rules of the ledger refuse (a full stack, say) is parked with its operation, and can be tried again.
 */
export class Rewards implements Consumer {
  readonly name = 'rewards';
  /** A rule that is put before any replica has looked at the feed misses nothing; where there is none, all is passed over. */
  readonly from = 'beginning';
  readonly #reads: Pick<Reads, 'enabledRewardRules'>;
  readonly #executor: Pick<Executor, 'execute'>;
  readonly #log: Pick<ConsumerLog, 'warn'>;
  readonly #atOnceMax: number;

  /** `atOnceMax`: rewards that are in the executor at once, at most. */
  constructor(deps: {
    reads: Pick<Reads, 'enabledRewardRules'>;
    executor: Pick<Executor, 'execute'>;
    log: Pick<ConsumerLog, 'warn'>;
    atOnceMax: number;
  }) {
    this.#reads = deps.reads;
    this.#executor = deps.executor;
    this.#log = deps.log;
    this.#atOnceMax = deps.atOnceMax;
  }

  /** A rule that comes into force after this was asked is about operations that nobody has read yet. */
  async isWanted(): Promise<boolean> {
    return (await this.#reads.enabledRewardRules()).length > 0;
  }

  async handle(operations: readonly FeedOperation[], turn: Turn, signal: AbortSignal): Promise<void> {
    const earned = earnedBy(operations, await this.#reads.enabledRewardRules());
    const reasons = new Map<FeedOperation, string[]>();
    for (let next = 0; next < earned.length; next += this.#atOnceMax) {
      const some = earned.slice(next, next + this.#atOnceMax);
      // In the order of the feed: those of one account go through one lane, which keeps it. Together they share batches.
      const granting = Promise.allSettled(
        some.map(async ({ reward }) => await this.#executor.execute(requestFor(reward))),
      );
      // What is aborted meanwhile may be granted all the same: the next turn has it replayed.
      await sleepUntil(granting, { signal });
      signal.throwIfAborted();
      const refused = refusals(await granting);
      some.forEach(({ operation, reward }, i) => {
        const refusal = refused[i];
        if (refusal === undefined) return;
        const reason = `reward rule ${reward.rule}: ${refusal.detail} (${refusal.code})`;
        reasons.set(operation, [...(reasons.get(operation) ?? []), reason]);
      });
    }
    for (const [operation, why] of reasons) {
      const reason = why.join('; ');
      turn.park(operation, reason);
      this.#log.warn({ operation: operation.id, reason }, 'a reward was refused, and is parked');
    }
  }
}
