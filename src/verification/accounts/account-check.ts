import type { LedgerCheck, VerificationRun } from '../ledger-check.ts';
import { accountsStart, readAccountPage, type AccountCursor, type AccountPage } from './account-page.ts';
import type { AccountPart, HistoryLine, MakeAccountPart } from './account-part.ts';
import { historyPart } from './history.ts';
import { holdingsPart } from './holdings.ts';
import { purchaseCountsPart } from './purchase-counts.ts';

/** What is checked of each account: a new one is its file, and a line here. */
const accountParts: readonly MakeAccountPart[] = [historyPart, holdingsPart, purchaseCountsPart];

/** Goes through all accounts in the order of their ids, and holds each against its history. */
export const accountCheck: LedgerCheck = {
  name: 'accounts',
  share: 5,
  async run(run) {
    const expected = await run.audit.estimatedEntries();
    const underWay = new Map<string, readonly AccountPart[]>();
    for (let cursor: AccountCursor | null = accountsStart; cursor !== null;) {
      const from: AccountCursor = cursor;
      const page: AccountPage = await run.page(
        async (snapshot) => await readAccountPage(snapshot, from, run.pageRows),
      );
      examine(page, run, underWay);
      run.progress(run.counts.entries / Math.max(1, expected));
      cursor = page.next;
    }
  },
};

function examine(
  { accounts, entries, operations, next }: AccountPage,
  run: VerificationRun,
  underWay: Map<string, readonly AccountPart[]>,
): void {
  const { counts, findings } = run;
  for (const rows of accounts) {
    counts.accounts += rows.accounts.length;
    counts.holdings += rows.holdings.length;
    counts.purchaseCounts += rows.purchaseCounts.length;
    underWay.set(
      rows.account,
      accountParts.map((make) => make(rows, findings)),
    );
  }
  counts.entries += entries.length;
  for (const entry of entries) {
    const line: HistoryLine = { entry, operation: operations.get(entry.operation) };
    for (const part of underWay.get(entry.account) ?? []) part.entry(line);
  }
  for (const [account, parts] of underWay) {
    if (account === next?.open?.account) continue;
    for (const part of parts) part.end();
    underWay.delete(account);
  }
}
