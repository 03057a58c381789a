import type { RewardInput } from '../../domain/commands/reward.ts';
import type { Executor } from '../../execution/executor.ts';
import type { Outcome } from '../../execution/request.ts';
import type { FeedOperation, Turn } from '../../repository/consumers.ts';
import type { Reads } from '../../repository/repository.ts';
import type { ConsumerLog } from '../consumer-loop.ts';
import { HeldUpError, type Consumer, type Handle, type PageWork } from '../consumer.ts';
import { sleepUntil } from '../sleep-until.ts';
import { earnedBy, type Earned } from './earned.ts';
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
  #underWay: Promise<void> = Promise.resolve();
  #inFlight = 0;

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

  /** Rewards that are in the executor now: no caller waits for them. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** A rule that comes into force after this was asked is about operations that nobody has read yet. */
  async prepare(): Promise<Handle | null> {
    const rules = await this.#reads.enabledRewardRules();
    if (rules.length === 0) return null;
    return async (operations, turn, page) => {
      await this.#grantAll(earnedBy(operations, rules), turn, page);
    };
  }

  async #grantAll(earned: readonly Earned[], turn: Turn, { signal, giveWay }: PageWork): Promise<void> {
    const reasons = new Map<FeedOperation, string[]>();
    for (let next = 0; next < earned.length; next += this.#atOnceMax) {
      const some = earned.slice(next, next + this.#atOnceMax);
      // Those of a turn that was cut off: however often that happens, `atOnceMax` holds.
      await this.#answered(signal);
      // In the order of the feed: those of one account go through one lane, which keeps it. Together they share batches.
      const granting = Promise.allSettled(some.map(async ({ reward }) => await this.#grant(reward)));
      this.#underWay = granting.then(() => undefined);
      // The rest is done in batches, with what the callers ask for.
      giveWay();
      await this.#answered(signal);
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

  async #grant(reward: RewardInput): Promise<Outcome> {
    this.#inFlight += 1;
    try {
      return await this.#executor.execute(requestFor(reward));
    } finally {
      this.#inFlight -= 1;
    }
  }

  /**
   * Waits for what is in the executor, which bounds all of its own waits: where that takes too long, a lock or the database
   * is at fault. What is cut off may be granted all the same: the next turn has it replayed.
   */
  async #answered(signal: AbortSignal): Promise<void> {
    await sleepUntil(this.#underWay, { signal });
    if (signal.aborted)
      throw new HeldUpError('rewards were not granted in the time of a turn', { cause: signal.reason });
  }
}
