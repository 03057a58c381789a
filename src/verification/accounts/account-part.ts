import type { Receipt } from '../../domain/operation.ts';
import type { Findings } from '../findings.ts';
import type {
  AuditedAccount,
  AuditedEntry,
  AuditedHolding,
  AuditedPurchaseCount,
} from '../../repository/audit.ts';

/**
 * One thing that is checked of an account while its history passes by. It is made with the account's rows as they were
 * in the snapshot whose last entry is the last that it is shown: the two must come to the same.
 */
export interface AccountPart {
  /** Called for every entry, in the order of versions. */
  entry(line: HistoryLine): void;
  /** Called after the last. */
  end(): void;
}

export type MakeAccountPart = (rows: AccountRows, findings: Findings) => AccountPart;

/** What an account is and has, from one snapshot. There should be one row of it, and one holding an asset. */
export interface AccountRows {
  readonly account: string;
  readonly accounts: readonly AuditedAccount[];
  readonly holdings: readonly AuditedHolding[];
  readonly purchaseCounts: readonly AuditedPurchaseCount[];
  /** What reservations and trades hold, by asset; nothing of those that are not named. */
  readonly reserved: ReadonlyMap<string, number>;
}

export interface HistoryLine {
  readonly entry: AuditedEntry;
  /** Undefined: it is not on record. */
  readonly operation: HistoryOperation | undefined;
}

export interface HistoryOperation {
  readonly position: number;
  /** Undefined: it can't be read, which the operations' own check says. */
  readonly receipt: Receipt | undefined;
}
