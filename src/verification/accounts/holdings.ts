import { isExact } from '../../domain/quantity.ts';
import type { AuditedHolding } from '../../repository/audit.ts';
import type { Findings } from '../findings.ts';
import type { AccountPart, AccountRows, HistoryLine } from './account-part.ts';

/** What an account owns is the sum of its history, entry by entry, and its row counts the stacks of it. */
export function holdingsPart(rows: AccountRows, findings: Findings): AccountPart {
  return new Holdings(rows, findings);
}

interface Sum {
  readonly sum: number;
  /** After the last entry. */
  readonly balance: number;
}

class Holdings implements AccountPart {
  readonly #rows: AccountRows;
  readonly #findings: Findings;
  readonly #sums = new Map<string, Sum>();

  constructor(rows: AccountRows, findings: Findings) {
    this.#rows = rows;
    this.#findings = findings;
  }

  entry({ entry }: HistoryLine): void {
    const { account, asset, version, operation, delta, balance } = entry;
    const before = this.#sums.get(asset) ?? { sum: 0, balance: 0 };
    if (balance !== before.balance + delta) {
      this.#findings.add(
        'entry_balance',
        { account, asset, version, operation },
        {
          expected: before.balance + delta,
          found: balance,
          message: `version ${version} changed the ${before.balance} ${asset} of account ${account} by ${delta}, and says that makes ${balance}`,
        },
      );
    }
    const sum = before.sum + delta;
    // A sum that is not exact any more must not come back as a wrong number that looks right.
    this.#sums.set(asset, { sum: isExact(sum) ? sum : Infinity, balance });
  }

  end(): void {
    const { account, accounts, holdings } = this.#rows;
    const withoutHolding = new Map(this.#sums);
    for (const holding of holdings) {
      withoutHolding.delete(holding.asset);
      this.#compare(holding, this.#sums.get(holding.asset)?.sum);
    }
    for (const [asset, { sum }] of withoutHolding) {
      this.#findings.add(
        'entries_without_holding',
        { account, asset },
        {
          expected: finite(sum),
          found: null,
          message: `the entries of account ${account} sum to ${sum} ${asset}, and it has no such holding`,
        },
      );
    }
    const stacks = holdings.filter(({ kind, quantity }) => kind === 'item' && quantity > 0).length;
    for (const row of accounts) {
      if (row.stacks === stacks) continue;
      this.#findings.add(
        'account_stacks',
        { account },
        {
          expected: stacks,
          found: row.stacks,
          message: `account ${account} counts ${row.stacks} stacks, and holds ${stacks}`,
        },
      );
    }
  }

  #compare({ asset, quantity, reserved, kind }: AuditedHolding, sum: number | undefined): void {
    const { account } = this.#rows;
    const where = { account, asset };
    if (sum === undefined) {
      this.#findings.add('holding_without_entries', where, {
        expected: null,
        found: quantity,
        message: `account ${account} has a holding of ${quantity} ${asset} without entries`,
      });
    } else if (sum !== quantity) {
      this.#findings.add('holding_sum', where, {
        expected: finite(sum),
        found: quantity,
        message: `account ${account} holds ${quantity} ${asset}, and its entries sum to ${sum}`,
      });
    }
    const held = this.#rows.reserved.get(asset) ?? 0;
    if (reserved !== held) {
      this.#findings.add('holding_reserved', where, {
        expected: held,
        found: reserved,
        message: `${reserved} ${asset} of account ${account} are reserved, and reservations and trades hold ${held}`,
      });
    }
    if (kind === null && quantity > 0) {
      this.#findings.add('asset_unknown', where, {
        expected: 'an asset of the catalog',
        found: asset,
        message: `account ${account} holds ${quantity} ${asset}, which is not in the catalog`,
      });
    }
  }
}

/** JSON has no infinity: a sum past all bounds is said in words. */
function finite(sum: number): number | string {
  return Number.isFinite(sum) ? sum : 'more than a quantity can be';
}
