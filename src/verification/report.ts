import { timestamp } from '../domain/time.ts';
import type { Discrepancy, VerificationCounts, VerificationResult } from '../domain/verification.ts';

/** A verification as it is shown, over HTTP and by the command line alike. */
export interface VerificationReport {
  /** RFC 3339. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly durationMs: number;
  readonly sound: boolean;
  readonly counts: VerificationCounts;
  readonly discrepancyCount: number;
  readonly discrepancies: readonly Discrepancy[];
}

export function reportOf(result: VerificationResult): VerificationReport {
  const { startedAtMs, finishedAtMs, counts, discrepancyCount, discrepancies } = result;
  return {
    startedAt: timestamp(startedAtMs),
    finishedAt: timestamp(finishedAtMs),
    durationMs: finishedAtMs - startedAtMs,
    sound: discrepancyCount === 0,
    counts,
    discrepancyCount,
    discrepancies,
  };
}
