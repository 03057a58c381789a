import type { Audit, Snapshot } from '../../src/repository/audit.ts';

/** Lets an audit through, and notes what was read: how many rows by each read, and how many reads in each snapshot. */
export class RecordingAudit implements Audit {
  readonly reads: { readonly what: keyof Snapshot; readonly rows: number }[] = [];
  readonly readsPerSnapshot: number[] = [];
  readonly #audit: Audit;
  readonly #beforeSnapshot: (count: number) => Promise<void>;

  /** `beforeSnapshot` is called with how many there were before. */
  constructor(audit: Audit, beforeSnapshot: (count: number) => Promise<void> = () => Promise.resolve()) {
    this.#audit = audit;
    this.#beforeSnapshot = beforeSnapshot;
  }

  async snapshot<Result>(
    work: (snapshot: Snapshot) => Promise<Result>,
    signal: AbortSignal,
  ): Promise<Result> {
    await this.#beforeSnapshot(this.readsPerSnapshot.length);
    const before = this.reads.length;
    const result = await this.#audit.snapshot((snapshot) => work(this.#recorded(snapshot)), signal);
    this.readsPerSnapshot.push(this.reads.length - before);
    return result;
  }

  horizon(): Promise<number> {
    return this.#audit.horizon();
  }

  estimatedEntries(): Promise<number> {
    return this.#audit.estimatedEntries();
  }

  #recorded(snapshot: Snapshot): Snapshot {
    const rows = async <Row>(
      what: keyof Snapshot,
      read: Promise<readonly Row[]>,
    ): Promise<readonly Row[]> => {
      const answer = await read;
      this.reads.push({ what, rows: answer.length });
      return answer;
    };
    return {
      operations: (...query) => rows('operations', snapshot.operations(...query)),
      stockLines: (...query) => rows('stockLines', snapshot.stockLines(...query)),
      operationsById: (...query) => rows('operationsById', snapshot.operationsById(...query)),
      lastPosition: () => snapshot.lastPosition(),
      entries: (...query) => rows('entries', snapshot.entries(...query)),
      lastVersion: (...query) => snapshot.lastVersion(...query),
      entriesAt: (...query) => rows('entriesAt', snapshot.entriesAt(...query)),
      accounts: (...query) => rows('accounts', snapshot.accounts(...query)),
      holdings: (...query) => rows('holdings', snapshot.holdings(...query)),
      purchaseCounts: (...query) => rows('purchaseCounts', snapshot.purchaseCounts(...query)),
      stock: (...query) => rows('stock', snapshot.stock(...query)),
      listings: (...query) => rows('listings', snapshot.listings(...query)),
    };
  }
}
