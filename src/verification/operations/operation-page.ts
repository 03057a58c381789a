import type { Receipt } from '../../domain/operation.ts';
import type {
  AccountVersion,
  AuditedEntry,
  AuditedOperation,
  OperationKey,
  Snapshot,
} from '../../repository/audit.ts';
import { readReceipt, readStockLines } from '../receipt-reader.ts';
import type { OperationOnRecord } from './operation-part.ts';

export interface OperationPage {
  readonly operations: readonly OperationOnRecord[];
  /** There is nothing after these. */
  readonly isLast: boolean;
}

/** Which operations: those after `after` with a position up to `through`. */
export interface OperationRange {
  readonly after: OperationKey;
  readonly through: number;
  readonly limit: number;
}

/** Reads operations with their entries: as many as have no more than `limit` entries together, and at least one. */
export async function readOperationPage(
  snapshot: Snapshot,
  { after, through, limit }: OperationRange,
): Promise<OperationPage> {
  const rows = await snapshot.operations(after, through, limit);
  const page = withinLimit(rows, limit);
  const stated = page.flatMap(({ receipt }) => (typeof receipt === 'string' ? [] : versionsOf(receipt)));
  const entries = new Map<string, AuditedEntry[]>();
  for (const version of stated) entries.set(nameOf(version), []);
  const wanted = new Map(stated.map((version) => [nameOf(version), version]));
  if (wanted.size > 0) {
    for (const entry of await snapshot.entriesAt([...wanted.values()]))
      entries.get(nameOf(entry))?.push(entry);
  }
  return {
    operations: page.map(({ row, receipt }) => ({
      row,
      receipt,
      stock: readStockLines(row.stock),
      entries:
        typeof receipt === 'string'
          ? []
          : versionsOf(receipt).flatMap((version) => entries.get(nameOf(version)) ?? []),
    })),
    isLast: rows.length < limit && page.length === rows.length,
  };
}

interface ReadOperation {
  readonly row: AuditedOperation;
  readonly receipt: Receipt | string;
}

function withinLimit(rows: readonly AuditedOperation[], limit: number): readonly ReadOperation[] {
  const page: ReadOperation[] = [];
  let entries = 0;
  for (const row of rows) {
    const receipt = readReceipt(row.receipt);
    if (typeof receipt !== 'string') entries += receipt.entries.length + Object.keys(receipt.accounts).length;
    if (page.length > 0 && entries > limit) break;
    page.push({ row, receipt });
  }
  return page;
}

/** The versions of accounts that a receipt is about; one entry more than it states of each shows that there are others. */
function versionsOf({ entries, accounts }: Receipt): AccountVersion[] {
  const lines = new Map<string, number>();
  for (const { account } of entries) lines.set(account, (lines.get(account) ?? 0) + 1);
  return [...lines].map(([account, count]) => ({
    account,
    version: accounts[account]?.version ?? 0,
    limit: count + 1,
  }));
}

function nameOf({ account, version }: { account: string; version: number }): string {
  return `${account} ${version}`;
}
