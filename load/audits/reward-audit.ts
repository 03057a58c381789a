import { Faults } from './faults.ts';
import type { RecordedEntry, RecordedOperation } from './recorded-operations.ts';

/** A reward rule as it was put. */
export interface AuditedRule {
  readonly id: string;
  readonly on: { readonly type: string; readonly listing?: string; readonly asset?: string };
  readonly grant: readonly { readonly asset: string; readonly quantity: number }[];
  readonly dailyLimit?: number;
  /** The last position in the feed when it was put: what stands there or before it earns nothing. */
  readonly since: number;
}

/** What an account has earned by one rule on one day, and what it should have. */
interface Share {
  readonly earning: readonly RecordedOperation[];
  readonly limit: number;
}

/**
 * Compares the rewards on record with what the rules say, worked out here from the other operations: each is there
 * once, grants what its rule says, and comes after the operation that earned it; of a daily limit, the first of the day
 * in the order of the feed have it.
 */
export function rewardFaults(
  operations: readonly RecordedOperation[],
  rules: readonly AuditedRule[],
): readonly string[] {
  const faults = new Faults();
  const given = new Map<string, RecordedOperation>();
  for (const reward of operations.filter(({ type }) => type === 'reward')) {
    const { rule, operation } = reward.receipt.details;
    const key = rewardKey(String(rule), String(operation));
    if (given.has(key)) faults.add('granted twice', key);
    given.set(key, reward);
  }
  for (const rule of rules) {
    for (const { earning, limit } of sharesOf(rule, operations)) {
      for (const operation of earning.slice(0, limit)) {
        const key = rewardKey(rule.id, operation.id);
        const reward = given.get(key);
        given.delete(key);
        if (reward === undefined) faults.add('not granted', `${key} at ${operation.position}`);
        else if (!fits(reward, rule, operation)) faults.add('granted otherwise', reward.text);
      }
    }
  }
  for (const [key, { text }] of given) faults.add('granted for nothing', `${key}: ${text}`);
  return faults.lines;
}

/** How many rewards a rule should have given, and how many its daily limit should have kept back. */
export function rewardsDue(
  operations: readonly RecordedOperation[],
  rule: AuditedRule,
): { granted: number; keptBack: number } {
  const shares = sharesOf(rule, operations);
  const earned = shares.reduce((sum, { earning }) => sum + earning.length, 0);
  const granted = shares.reduce((sum, { earning, limit }) => sum + Math.min(limit, earning.length), 0);
  return { granted, keptBack: earned - granted };
}

function sharesOf(rule: AuditedRule, operations: readonly RecordedOperation[]): readonly Share[] {
  const shares = Map.groupBy(
    operations.filter((operation) => earns(rule, operation)),
    ({ home, receipt }) => `${home} ${receipt.at.slice(0, 10)}`,
  );
  return [...shares.values()].map((earning) => ({ earning, limit: rule.dailyLimit ?? earning.length }));
}

function earns({ on, since }: AuditedRule, { position, type, home, receipt }: RecordedOperation): boolean {
  const own = receipt.entries.filter(({ account }) => account === home);
  return (
    position > since &&
    type === on.type &&
    (on.listing === undefined || receipt.details['listing'] === on.listing) &&
    (on.asset === undefined || own.some(({ asset }) => asset === on.asset))
  );
}

function fits(reward: RecordedOperation, { grant }: AuditedRule, earning: RecordedOperation): boolean {
  const stated = reward.receipt.entries.map(({ account, asset, delta }) => line({ account, asset, delta }));
  const due = grant.map(({ asset, quantity }) => line({ account: earning.home, asset, delta: quantity }));
  return (
    reward.position > earning.position &&
    reward.home === earning.home &&
    reward.receipt.details['earnedAt'] === earning.receipt.at &&
    stated.toSorted().join() === due.toSorted().join()
  );
}

function line({ account, asset, delta }: Omit<RecordedEntry, 'balance'>): string {
  return `${account} ${asset} ${delta}`;
}

function rewardKey(rule: string, operation: string): string {
  return `${rule} for ${operation}`;
}
