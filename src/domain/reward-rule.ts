import type { AssetQuantity } from './quantity.ts';
import { timestamp } from './time.ts';

/** What operations earn, and how often: part of the catalog. */
export interface RewardRule {
  readonly id: string;
  readonly on: Occasion;
  /** What each operation earns its account. */
  readonly grant: readonly AssetQuantity[];
  /** The most rewards by this rule that one account earns in a UTC day; null: no limit. */
  readonly dailyLimit: number | null;
  /** One that is not earns nothing, and stays in the catalog. */
  readonly enabled: boolean;
  /** The last position in the feed when it came into force: what stands there or before it earns nothing. */
  readonly since: number;
}

/** Which operations a rule is about: those of which all that is not null is so. */
export interface Occasion {
  readonly type: string;
  /** The listing in the operation's details. */
  readonly listing: string | null;
  /** An asset of which the operation's own account has an entry, whichever way it went. */
  readonly asset: string | null;
}

/** A rule as a client puts it. */
export type RewardRuleInput = Omit<RewardRule, 'since'>;

/** An operation as far as rules look at it. */
export interface EarningOperation {
  readonly id: string;
  readonly type: string;
  /** The account that it belongs to: it earns. */
  readonly account: string;
  readonly atMs: number;
  /** In the feed. */
  readonly position: number;
  readonly listing: string | null;
  /** Those of which its account has an entry. */
  readonly assets: readonly string[];
}

/** Tells whether an operation earns a reward by a rule; how many it may earn a day is another question. */
export function earns({ on, enabled, since }: RewardRule, operation: EarningOperation): boolean {
  return (
    enabled &&
    operation.position > since &&
    operation.type === on.type &&
    (on.listing === null || operation.listing === on.listing) &&
    (on.asset === null || operation.assets.includes(on.asset))
  );
}

/** The rule as it is kept: it comes into force when it is put first, and when it is enabled again, and stays in force else. */
export function inForce(
  input: RewardRuleInput,
  before: RewardRule | undefined,
  lastPosition: number,
): RewardRule {
  const begins = before === undefined || (input.enabled && !before.enabled);
  return { ...input, since: begins ? lastPosition : before.since };
}

/** The UTC day of a moment, such as `2026-11-21`. */
export function dayOf(ms: number): string {
  return timestamp(ms).slice(0, 10);
}

/**
 * Under which name an account's rewards by a rule on one day are counted, among its purchase counts. No listing begins with
 * a slash, so the two never meet. Each day has a count of its own, so that an operation that is handled late, or again,
 * finds that of its own day.
 */
export function rewardCounter(rule: string, day: string): string {
  return `/reward-rules/${rule}/${day}`;
}
