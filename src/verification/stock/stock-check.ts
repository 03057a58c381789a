import {
  feedStart,
  type AuditedStockLines,
  type OperationKey,
  type Snapshot,
} from '../../repository/audit.ts';
import type { LedgerCheck, VerificationRun } from '../ledger-check.ts';
import { readStockLines } from '../receipt-reader.ts';
import { StockHistories } from './stock-history.ts';

/** How often the end of the feed is followed as it moves on, before what is left of it is read in one snapshot. */
const roundsMax = 10;

/**
 * Adds up what all operations did to limited stock, to the end of the feed, and holds the stock against it.
 *
 * Pages end at the horizon, below which no operation can still appear. Once what is left is short, one last snapshot shows
 * all of it, beyond the horizon too, together with the stock that it led to. That is sound although operations with lower
 * positions may still be under way: they hold the locks of the stock that they change, so every operation on the same
 * stock that the snapshot shows was committed, and numbered, before them. This pass reads nothing else, so that it is
 * much faster than operations can be made: what is left is short after a round or two.
 */
export const stockCheck: LedgerCheck = {
  name: 'stock',
  share: 1,
  async run(run) {
    const histories = new StockHistories(run.findings);
    const after = await followToHorizon(run, histories);
    await run.page(async (snapshot) => {
      for (let last: OperationKey | undefined = after; last !== undefined;) {
        const page: readonly AuditedStockLines[] = await snapshot.stockLines(last, null, run.pageRows);
        addUp(page, run, histories);
        last = page.length < run.pageRows ? undefined : page.at(-1);
      }
      await compareAll(snapshot, run, histories);
    });
  },
};

async function followToHorizon(run: VerificationRun, histories: StockHistories): Promise<OperationKey> {
  const { pageRows, audit } = run;
  let after = feedStart;
  let through = await audit.horizon();
  for (let rounds = 1; ;) {
    const range = [after, through, pageRows] as const;
    const page = await run.page(async (snapshot) => await snapshot.stockLines(...range));
    addUp(page, run, histories);
    after = page.at(-1) ?? after;
    run.progress(after.position / through);
    if (page.length === pageRows) continue;
    const ahead = await audit.horizon();
    if (ahead - through <= pageRows || rounds === roundsMax) return after;
    through = ahead;
    rounds += 1;
  }
}

function addUp(
  page: readonly AuditedStockLines[],
  { findings }: VerificationRun,
  histories: StockHistories,
): void {
  for (const { id, stock } of page) {
    const lines = readStockLines(stock);
    for (const line of lines ?? []) histories.add(id, line);
    if (lines !== undefined) continue;
    const message = `what operation ${id} says it did to stock cannot be read`;
    findings.add(
      'stock_malformed',
      { operation: id },
      { expected: 'a list of stock lines', found: stock, message },
    );
  }
}

/** All stock has a history, and what has a history or is limited has stock. */
async function compareAll(
  snapshot: Snapshot,
  { pageRows, counts }: VerificationRun,
  histories: StockHistories,
): Promise<void> {
  const wanted = new Set(histories.listings);
  await eachPage(pageRows, async (after) => {
    const rows = await snapshot.listings(after, pageRows);
    counts.listings += rows.length;
    for (const { id, limited } of rows) if (limited) wanted.add(id);
    return rows.map(({ id }) => id);
  });
  await eachPage(pageRows, async (after) => {
    const rows = await snapshot.stock(after, pageRows);
    for (const row of rows) {
      wanted.delete(row.listing);
      histories.compare(row);
    }
    return rows.map(({ listing }) => listing);
  });
  for (const listing of wanted) histories.missing(listing);
}

/** Calls for page after page until one is not full; each answers its keys, and is given the last key of the one before. */
async function eachPage(
  pageRows: number,
  read: (after: string) => Promise<readonly string[]>,
): Promise<void> {
  for (let after: string | undefined = ''; after !== undefined;) {
    const keys: readonly string[] = await read(after);
    after = keys.length < pageRows ? undefined : keys.at(-1);
  }
}
