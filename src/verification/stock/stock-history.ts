import type { Json } from '../../domain/json.ts';
import type { Stock, StockLine } from '../../domain/stock.ts';
import type { Findings } from '../findings.ts';

/**
 * Limited stock, added up in the order of the feed: each operation leaves what the one before left, plus what it added,
 * minus what it took, and never less than nothing; and all of it comes to the row. That only those who buy take is what
 * the types of operation say of themselves. Keeps a few numbers a listing.
 */
export class StockHistories {
  readonly #findings: Findings;
  readonly #histories = new Map<string, History>();

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** The listings whose stock has a history. */
  get listings(): readonly string[] {
    return [...this.#histories.keys()];
  }

  /** To be called for each line of each operation, in the order of the feed. */
  add(operation: string, { listing, added, taken, remaining }: StockLine): void {
    const before = this.#histories.get(listing) ?? { remaining: 0, added: 0n, taken: 0n };
    const expected = before.remaining + added - taken;
    if (remaining !== expected || remaining < 0) {
      this.#findings.add(
        'stock_chain',
        { listing, operation },
        {
          expected,
          found: remaining,
          message: `operation ${operation} added ${added} to the ${before.remaining} of listing ${listing}, took ${taken}, and says it left ${remaining}`,
        },
      );
    }
    this.#histories.set(listing, {
      remaining,
      added: before.added + BigInt(added),
      taken: before.taken + BigInt(taken),
    });
  }

  /** Holds a row against its history, all of which must have been added. */
  compare({ listing, offered, refilled, remaining }: Stock): void {
    const where = { listing };
    const history = this.#histories.get(listing);
    if (history === undefined) {
      this.#findings.add('stock_without_history', where, {
        expected: null,
        found: { offered, refilled, remaining },
        message: `listing ${listing} has a stock of ${remaining}, and no operation says where it came from`,
      });
      return;
    }
    if (remaining !== history.remaining) {
      this.#findings.add('stock_remaining', where, {
        expected: history.remaining,
        found: remaining,
        message: `listing ${listing} has ${remaining} left, and the last operation on it left ${history.remaining}`,
      });
    }
    // Each of the two can be as large as a number can be exactly.
    const offeredInAll = BigInt(offered) + BigInt(refilled);
    if (offeredInAll !== history.added) {
      this.#findings.add('stock_offered', where, {
        expected: exactly(history.added),
        found: exactly(offeredInAll),
        message: `listing ${listing} has offered ${offeredInAll} in all, and its operations added ${history.added}`,
      });
    }
    const sold = offeredInAll - BigInt(remaining);
    if (sold !== history.taken) {
      this.#findings.add('stock_sold', where, {
        expected: exactly(history.taken),
        found: exactly(sold),
        message: `${sold} of listing ${listing} are gone, and ${history.taken} were bought`,
      });
    }
  }

  /** To be called for a stock that has no row, and should have one. */
  missing(listing: string): void {
    const left = this.#histories.get(listing)?.remaining;
    this.#findings.add(
      'stock_missing',
      { listing },
      {
        expected: left ?? 0,
        found: null,
        message:
          left === undefined
            ? `listing ${listing} is limited and has no stock`
            : `the operations on listing ${listing} left ${left}, and it has no stock`,
      },
    );
  }
}

interface History {
  readonly remaining: number;
  readonly added: bigint;
  readonly taken: bigint;
}

/** As a number, where JSON can carry it as one. */
function exactly(sum: bigint): Json {
  const number = Number(sum);
  return Number.isSafeInteger(number) ? number : String(sum);
}
