import { compareIdentifiers } from '../../domain/identifier.ts';
import {
  justAfter,
  startOf,
  type AccountKey,
  type AuditedAccount,
  type AuditedEntry,
  type AuditedHolding,
  type AuditedPurchaseCount,
  type EntryKey,
  type HoldingRowKey,
  type PurchaseCountKey,
  type Snapshot,
} from '../../repository/audit.ts';
import { readReceipt } from '../receipt-reader.ts';
import type { AccountRows, HistoryOperation } from './account-part.ts';
import { readReserved } from './reserved.ts';

/** How far the accounts were read. */
export interface AccountCursor {
  readonly after: EntryKey;
  /** The account in whose history that is, and the version up to which it is to be read; null: between two accounts. */
  readonly open: { readonly account: string; readonly goal: number } | null;
}

export const accountsStart: AccountCursor = { after: startOf(''), open: null };

/** A piece of the accounts in their order, from one snapshot. */
export interface AccountPage {
  /** The rows of each account that begins in this page. */
  readonly accounts: readonly AccountRows[];
  /** The entries of these accounts, and of the one that the page before left open. */
  readonly entries: readonly AuditedEntry[];
  /** The operations of these entries, as far as they are on record. */
  readonly operations: ReadonlyMap<string, HistoryOperation>;
  /** Where the next page begins; null: there is none. The account that it leaves open goes on there, all others end. */
  readonly next: AccountCursor | null;
}

/**
 * Reads the next page: as many whole accounts as fit, and the beginning of one more.
 *
 * An account that does not fit is read over several snapshots, and grows meanwhile. So its rows and the version of its
 * last entry are read in the snapshot in which it begins, and its history up to that version and no further: history is
 * only ever appended to, so these are the entries that the rows were the sum of, and the reading comes to an end however
 * fast the account grows.
 */
export async function readAccountPage(
  snapshot: Snapshot,
  { after, open }: AccountCursor,
  limit: number,
): Promise<AccountPage> {
  const read = await snapshot.entries(after, limit);
  const last = read.length < limit ? undefined : read.at(-1);
  const opened = read.filter(({ account, version }) => account === open?.account && version <= open.goal);
  if (last !== undefined && last.account === open?.account) {
    const next = last.version <= open.goal ? { after: last, open } : startAfter(open.account);
    return { accounts: [], entries: opened, operations: await operationsOf(snapshot, opened), next };
  }

  const from = open === null ? after.account : justAfter(open.account);
  const wanted = { from, before: last === undefined ? null : justAfter(last.account), limit };
  const { accounts, before } = await readAccounts(snapshot, wanted);
  const fresh = read.filter(({ account }) => account !== open?.account && comesBefore(account, before));
  const entries = [...opened, ...fresh];
  return {
    accounts: withAccountsOf(fresh, accounts),
    entries,
    operations: await operationsOf(snapshot, entries),
    next: await nextPage(snapshot, before, last),
  };
}

function startAfter(account: string): AccountCursor {
  return { after: startOf(justAfter(account)), open: null };
}

/** `before` is where the rows ended: behind the account of the last entry, which may have more, or earlier. */
async function nextPage(
  snapshot: Snapshot,
  before: string | null,
  last: AuditedEntry | undefined,
): Promise<AccountCursor | null> {
  if (before === null) return null;
  if (last === undefined || before !== justAfter(last.account)) return { after: startOf(before), open: null };
  const goal = await snapshot.lastVersion(last.account);
  return { after: last, open: { account: last.account, goal } };
}

interface AccountRange {
  readonly from: string;
  /** The first account that is not wanted; null: there is none. */
  readonly before: string | null;
  readonly limit: number;
}

/** Reads the rows of whole accounts, as many as fit, and says where that ended. */
async function readAccounts(
  snapshot: Snapshot,
  range: AccountRange,
): Promise<{ accounts: Map<string, AccountRows>; before: string | null }> {
  const { limit } = range;
  const start = startOf(range.from);
  const rows = await wholeAccounts(limit, start, range.before, (after: AccountKey, before) =>
    snapshot.accounts(after, before, limit),
  );
  const holdings = await wholeAccounts(limit, start, rows.before, (after: HoldingRowKey, before) =>
    snapshot.holdings(after, before, limit),
  );
  const counts = await wholeAccounts(limit, start, holdings.before, (after: PurchaseCountKey, before) =>
    snapshot.purchaseCounts(after, before, limit),
  );
  const { before } = counts;
  const reserved = await readReserved(snapshot, { ...range, before });

  const accounts = new Map<string, Gathering>();
  const of = (account: string): Gathering => {
    const known = accounts.get(account) ?? noRows(account);
    accounts.set(account, known);
    return known;
  };
  const isWhole = ({ account }: AccountKey): boolean => comesBefore(account, before);
  for (const row of rows.rows.filter(isWhole)) of(row.account).accounts.push(row);
  for (const row of holdings.rows.filter(isWhole)) of(row.account).holdings.push(row);
  for (const row of counts.rows) of(row.account).purchaseCounts.push(row);
  for (const { account, asset, quantity } of reserved) of(account).reserved.set(asset, quantity);
  return { accounts, before };
}

/**
 * Reads the rows of accounts up to `before`, or, if they are more than fit, of those accounts that are whole. An account
 * that alone does not fit is read to its end, page by page.
 */
async function wholeAccounts<Key extends AccountKey, Row extends Key>(
  limit: number,
  start: NoInfer<Key>,
  before: string | null,
  read: (after: Key, before: string | null) => Promise<readonly Row[]>,
): Promise<{ rows: readonly Row[]; before: string | null }> {
  const rows: Row[] = [];
  for (let after: Key = start; ;) {
    const page = await read(after, before);
    rows.push(...page);
    const last = page.at(-1);
    if (last === undefined || page.length < limit) return { rows, before };
    if (last.account !== rows[0]?.account)
      return { rows: rows.filter(({ account }) => account !== last.account), before: last.account };
    after = last;
  }
}

/** `AccountRows` while they are gathered. */
interface Gathering {
  readonly account: string;
  readonly accounts: AuditedAccount[];
  readonly holdings: AuditedHolding[];
  readonly purchaseCounts: AuditedPurchaseCount[];
  readonly reserved: Map<string, number>;
}

function noRows(account: string): Gathering {
  return { account, accounts: [], holdings: [], purchaseCounts: [], reserved: new Map() };
}

/** Entries whose account has nothing else are an account as well. */
function withAccountsOf(
  entries: readonly AuditedEntry[],
  accounts: ReadonlyMap<string, AccountRows>,
): readonly AccountRows[] {
  const all = new Map(accounts);
  for (const { account } of entries) if (!all.has(account)) all.set(account, noRows(account));
  return [...all.values()];
}

function comesBefore(account: string, before: string | null): boolean {
  return before === null || compareIdentifiers(account, before) < 0;
}

async function operationsOf(
  snapshot: Snapshot,
  entries: readonly AuditedEntry[],
): Promise<Map<string, HistoryOperation>> {
  const ids = new Set(entries.map(({ operation }) => operation));
  if (ids.size === 0) return new Map();
  const found = await snapshot.operationsById([...ids]);
  return new Map(
    found.map(({ id, position, receipt: text }) => {
      const receipt = readReceipt(text);
      return [id, { position, receipt: typeof receipt === 'string' ? undefined : receipt }];
    }),
  );
}
