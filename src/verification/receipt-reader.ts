import { compareIdentifiers } from '../domain/identifier.ts';
import type { Entry, Receipt } from '../domain/operation.ts';
import { isExact } from '../domain/quantity.ts';
import type { StockLine } from '../domain/stock.ts';

/** The receipt in a text, or what is wrong with it. Nothing is taken for granted of what lies in the database. */
export function readReceipt(text: string): Receipt | string {
  const receipt = parsed(text);
  if (!isObject(receipt)) return 'it is not an object';
  const { id, type, at, actor, dryRun, entries, accounts, details } = receipt;
  if (![id, type, at, actor].every((member) => typeof member === 'string'))
    return 'its id, type, at or actor is not text';
  if (typeof dryRun !== 'boolean') return 'its dryRun is neither true nor false';
  if (!isObject(details)) return 'its details are not an object';
  if (!Array.isArray(entries) || !entries.every(isEntry)) return 'its entries are not a list of entries';
  if (!isObject(accounts) || !Object.values(accounts).every(isVersion))
    return 'its accounts are not versions by account';
  return disorder(entries, accounts) ?? (receipt as unknown as Receipt);
}

/** What an operation says it did to limited stock; undefined: it can't be read. */
export function readStockLines(text: string | null): readonly StockLine[] | undefined {
  if (text === null) return [];
  const lines = parsed(text);
  return Array.isArray(lines) && lines.every(isStockLine) ? lines : undefined;
}

/** Each entry stands once and in its place, and the accounts are those of the entries. */
function disorder(entries: readonly Entry[], accounts: object): string | undefined {
  let before: Entry | undefined;
  let touched = 0;
  for (const entry of entries) {
    if (entry.account !== before?.account) {
      touched += 1;
      if (!Object.hasOwn(accounts, entry.account)) return `it has no version of account ${entry.account}`;
    }
    if (before !== undefined && compareEntries(before, entry) >= 0)
      return 'its entries are not in the order account, asset';
    before = entry;
  }
  return touched === Object.keys(accounts).length
    ? undefined
    : 'it has a version of an account that it does not touch';
}

function compareEntries(a: Entry, b: Entry): number {
  return compareIdentifiers(a.account, b.account) || compareIdentifiers(a.asset, b.asset);
}

function isEntry(value: unknown): value is Entry {
  if (!isObject(value)) return false;
  const { account, asset, delta, balance } = value;
  return (
    typeof account === 'string' && typeof asset === 'string' && isExactNumber(delta) && isExactNumber(balance)
  );
}

function isVersion(value: unknown): value is { readonly version: number } {
  return isObject(value) && isExactNumber(value['version']);
}

function isStockLine(value: unknown): value is StockLine {
  if (!isObject(value)) return false;
  const { listing, added, taken, remaining } = value;
  return typeof listing === 'string' && [added, taken, remaining].every(isExactNumber);
}

function isExactNumber(value: unknown): value is number {
  return typeof value === 'number' && isExact(value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The columns are of type `json`, so they parse; a column that does not is read as nothing. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
