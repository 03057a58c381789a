import { purchase } from '../../domain/commands/purchase.ts';
import { reward } from '../../domain/commands/reward.ts';
import type { Receipt } from '../../domain/operation.ts';
import { rewardCounter } from '../../domain/reward-rule.ts';
import { timestamp } from '../../domain/time.ts';
import type { AuditedPurchaseCount } from '../../repository/audit.ts';
import type { Findings } from '../findings.ts';
import type { AccountPart, AccountRows, HistoryLine } from './account-part.ts';

/**
 * What is counted against a listing's limit was really bought since the period began, and what is counted against a reward
 * rule's was really earned on that day. It may be less: what came while there was no limit is not counted.
 */
export function purchaseCountsPart(rows: AccountRows, findings: Findings): AccountPart {
  return new PurchaseCounts(rows, findings);
}

interface Counted {
  readonly row: AuditedPurchaseCount;
  made: number;
}

class PurchaseCounts implements AccountPart {
  readonly #findings: Findings;
  readonly #counted: ReadonlyMap<string, Counted>;
  #version = 0;

  constructor({ purchaseCounts }: AccountRows, findings: Findings) {
    this.#findings = findings;
    this.#counted = new Map(purchaseCounts.map((row) => [row.listing, { row, made: 0 }]));
  }

  entry({ entry: { version, atMs }, operation }: HistoryLine): void {
    if (this.#counted.size === 0 || version === this.#version) return;
    this.#version = version;
    const units = operation?.receipt === undefined ? undefined : countedUnits(operation.receipt);
    const counted = units === undefined ? undefined : this.#counted.get(units.counter);
    if (units === undefined || counted === undefined || atMs < counted.row.sinceMs) return;
    counted.made += units.quantity;
  }

  end(): void {
    for (const { row, made } of this.#counted.values()) {
      const { account, listing, count, sinceMs } = row;
      if (count <= made) continue;
      this.#findings.add(
        'purchase_count',
        { account, listing },
        {
          expected: `at most ${made}`,
          found: count,
          message: `account ${account} is counted ${count} of ${listing} since ${timestamp(sinceMs)}, and has had ${made}`,
        },
      );
    }
  }
}

/** What an operation adds to which count: a purchase its units to its listing's, a reward itself to its rule's of the day. */
function countedUnits({ type, details }: Receipt): { counter: string; quantity: number } | undefined {
  const { listing, quantity, rule, earnedAt } = details;
  if (type === purchase.type && typeof listing === 'string' && typeof quantity === 'number')
    return { counter: listing, quantity };
  if (type === reward.type && typeof rule === 'string' && typeof earnedAt === 'string')
    return { counter: rewardCounter(rule, earnedAt.slice(0, 10)), quantity: 1 };
  return undefined;
}
