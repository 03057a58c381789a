import type { VerificationResult } from '../domain/verification.ts';

/** The verifications there were. They are kept beside the ledger: nothing is decided by them. */
export interface VerificationRecords {
  /** Kept, durably, when this resolves. */
  save(record: VerificationRecord): Promise<void>;
  /** Undefined: there is none with this id. */
  find(id: string): Promise<VerificationRecord | undefined>;
  /** Newest first, beginning after `before`; each with the first `discrepanciesMax` of its discrepancies. */
  list(query: VerificationsQuery): Promise<readonly VerificationRecord[]>;
}

export interface VerificationRecord extends VerificationResult {
  readonly id: string;
  /** Who asked for it. */
  readonly actor: string;
}

export interface VerificationsQuery {
  readonly before: { readonly startedAtMs: number; readonly id: string } | null;
  readonly limit: number;
  readonly discrepanciesMax: number;
}
