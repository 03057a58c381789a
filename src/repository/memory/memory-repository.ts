import type { Repository, TransactionOptions, Tx } from '../repository.ts';
import { MemoryDatabase } from './memory-database.ts';
import { MemoryReads } from './reads.ts';
import { MemoryTx } from './transaction.ts';

/** A replica's view of a database in memory. Several of them on one database see and lock the same rows. */
export class MemoryRepository extends MemoryReads implements Repository {
  readonly #database: MemoryDatabase;
  readonly #name: string;
  readonly #lockTimeoutMs: number;

  constructor(
    options: {
      /** Default: one of its own. */
      database?: MemoryDatabase;
      /** What the observer of locks calls this replica's transactions. */
      name?: string;
      lockTimeoutMs?: number;
    } = {},
  ) {
    const database = options.database ?? new MemoryDatabase();
    super(database);
    this.#database = database;
    this.#name = options.name ?? 'replica';
    this.#lockTimeoutMs = options.lockTimeoutMs ?? 5_000;
  }

  async transaction<Result>(
    work: (tx: Tx) => Promise<Result>,
    options: TransactionOptions = {},
  ): Promise<Result> {
    const tx = new MemoryTx({
      database: this.#database,
      name: this.#name,
      lockTimeoutMs: this.#lockTimeoutMs,
      accountWaitMs: options.accountWaitMs ?? this.#lockTimeoutMs,
    });
    try {
      const result = await work(tx);
      await tx.commit();
      return result;
    } finally {
      await tx.end();
    }
  }
}
