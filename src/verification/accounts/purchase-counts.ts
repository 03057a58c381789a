import { purchase } from '../../domain/commands/purchase.ts';
import { timestamp } from '../../domain/time.ts';
import type { AuditedPurchaseCount } from '../../repository/audit.ts';
import type { Findings } from '../findings.ts';
import type { AccountPart, AccountRows, HistoryLine } from './account-part.ts';

/**
 * What is counted against a listing's limit was really bought since the period began. It may be less: purchases made
 * while the listing had no limit are not counted.
 */
export function purchaseCountsPart(rows: AccountRows, findings: Findings): AccountPart {
  return new PurchaseCounts(rows, findings);
}

interface Counted {
  readonly row: AuditedPurchaseCount;
  bought: number;
}

class PurchaseCounts implements AccountPart {
  readonly #findings: Findings;
  readonly #counted: ReadonlyMap<string, Counted>;
  #version = 0;

  constructor({ purchaseCounts }: AccountRows, findings: Findings) {
    this.#findings = findings;
    this.#counted = new Map(purchaseCounts.map((row) => [row.listing, { row, bought: 0 }]));
  }

  entry({ entry: { version, atMs }, operation }: HistoryLine): void {
    if (this.#counted.size === 0 || version === this.#version) return;
    this.#version = version;
    if (operation?.receipt?.type !== purchase.type) return;
    const { listing, quantity } = operation.receipt.details;
    const counted = typeof listing === 'string' ? this.#counted.get(listing) : undefined;
    if (counted === undefined || typeof quantity !== 'number' || atMs < counted.row.sinceMs) return;
    counted.bought += quantity;
  }

  end(): void {
    for (const { row, bought } of this.#counted.values()) {
      const { account, listing, count, sinceMs } = row;
      if (count <= bought) continue;
      this.#findings.add(
        'purchase_count',
        { account, listing },
        {
          expected: `at most ${bought}`,
          found: count,
          message: `account ${account} is counted ${count} of listing ${listing} since ${timestamp(sinceMs)}, and has bought ${bought}`,
        },
      );
    }
  }
}
