import type { CommandType } from '../domain/command.ts';
import type { VerificationCounts } from '../domain/verification.ts';
import type { Audit, Snapshot } from '../repository/audit.ts';
import type { Findings } from './findings.ts';

/**
 * One check of the whole ledger. It reads page by page, each page in a snapshot of its own, and is to compare only what
 * one snapshot shows, or what can no longer change: the service goes on writing, and a discrepancy must be one.
 */
export interface LedgerCheck {
  /** What it looks at; shown while it does. */
  readonly name: string;
  /** How much of the whole time it takes, compared with the others; for a progress bar. */
  readonly share: number;
  run(verification: VerificationRun): Promise<void>;
}

/** A verification under way: what its checks read from and report to. */
export interface VerificationRun {
  readonly audit: Pick<Audit, 'horizon' | 'estimatedEntries'>;
  readonly operationTypes: readonly OperationType[];
  /** Rows that one read may answer. */
  readonly pageRows: number;
  readonly findings: Findings;
  readonly counts: Counts;
  /** Runs reads in a snapshot, between pauses; throws when the verification is to end. */
  page<Result>(read: (snapshot: Snapshot) => Promise<Result>): Promise<Result>;
  /** Tells how far this check is, from 0 to 1. */
  progress(fraction: number): void;
}

/** What verification needs to know of a command type. */
export type OperationType = Pick<CommandType<never>, 'type' | 'check'>;

export type Counts = { -readonly [Name in keyof VerificationCounts]: VerificationCounts[Name] };
