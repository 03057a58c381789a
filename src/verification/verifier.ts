import { setTimeout as sleep } from 'node:timers/promises';
import type { VerificationResult } from '../domain/verification.ts';
import type { Audit } from '../repository/audit.ts';
import { ledgerChecks } from './checks.ts';
import { Findings } from './findings.ts';
import type { OperationType } from './ledger-check.ts';

export interface VerifierSettings {
  /** Rows that one read answers at most: what is kept in memory at a time, and how long a snapshot lives. */
  readonly pageRows: number;
  /** How long to rest after each page, for what else this process and the database have to do. */
  readonly pauseMs: number;
  /** Discrepancies that are kept; all are counted. */
  readonly discrepanciesMax: number;
}

export interface VerifyOptions {
  /** Ends the verification: it throws the signal's reason, after the read under way at the latest. */
  readonly signal: AbortSignal;
  /** Told after each page how much is done, from 0 to 1, and what is being looked at. */
  readonly onProgress?: (fraction: number, what: string) => void;
}

/**
 * Checks the whole ledger, every row and sum of it, while the service goes on writing. What it reports is wrong: no write
 * that happens meanwhile can look like a discrepancy. What it does not report was right when it was read; what is written
 * behind it is the next verification's. Takes no locks, and keeps a page, one account and a few numbers a listing in memory.
 */
export class Verifier {
  readonly #audit: Audit;
  readonly #operationTypes: readonly OperationType[];
  readonly #settings: VerifierSettings;

  /** `operationTypes` are all there are: an operation of another type is a discrepancy. */
  constructor(deps: { audit: Audit; operationTypes: readonly OperationType[]; settings: VerifierSettings }) {
    this.#audit = deps.audit;
    this.#operationTypes = deps.operationTypes;
    this.#settings = deps.settings;
  }

  async verify({ signal, onProgress }: VerifyOptions): Promise<VerificationResult> {
    const { pageRows, pauseMs, discrepanciesMax } = this.#settings;
    const startedAtMs = Date.now();
    const findings = new Findings(discrepanciesMax);
    const counts = { accounts: 0, holdings: 0, entries: 0, operations: 0, listings: 0, purchaseCounts: 0 };
    const shares = ledgerChecks.reduce((sum, { share }) => sum + share, 0);
    let sharesDone = 0;
    for (const check of ledgerChecks) {
      await check.run({
        audit: this.#audit,
        operationTypes: this.#operationTypes,
        pageRows,
        findings,
        counts,
        page: async (read) => {
          await rest(pauseMs, signal);
          return await this.#audit.snapshot(read, signal);
        },
        progress: (fraction) => {
          onProgress?.((sharesDone + Math.min(1, Math.max(0, fraction)) * check.share) / shares, check.name);
        },
      });
      sharesDone += check.share;
    }
    return {
      startedAtMs,
      finishedAtMs: Date.now(),
      counts,
      discrepancyCount: findings.count,
      discrepancies: findings.kept,
    };
  }
}

/** Whoever waits for the event loop has its turn, also where there is no pause. */
async function rest(pauseMs: number, signal: AbortSignal): Promise<void> {
  if (pauseMs === 0) await new Promise(setImmediate);
  else await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
  signal.throwIfAborted();
}
