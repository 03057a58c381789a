import type { Locks } from '../../src/repository/memory/lock-table.ts';
import { MemoryDatabase } from '../../src/repository/memory/memory-database.ts';
import { MemoryRepository } from '../../src/repository/memory/memory-repository.ts';
import type { Repository, Tx } from '../../src/repository/repository.ts';

/** Locks that everyone has at once: the negative control of a test of locking, which must fail over them. */
export const noLocks: Locks = {
  acquire: () => Promise.resolve(),
  tryAcquire: () => true,
  holds: () => true,
  release: () => undefined,
  releaseAll: () => undefined,
  waits: () => [],
};

/** A repository in memory that locks nothing. */
export function memoryWithoutLocks(): Repository {
  return new MemoryRepository({ database: new MemoryDatabase({ locks: noLocks }) });
}

/** The repository, except that its transactions lock no account. */
export function withoutAccountLocks(repository: Repository): Pick<Repository, 'transaction'> {
  return {
    transaction: (work, options) => repository.transaction((tx) => work(unlocked(tx)), options),
  };
}

function unlocked(tx: Tx): Tx {
  return {
    ensureAccounts: (ids) => tx.ensureAccounts(ids),
    lockAccounts: () => Promise.resolve([]),
    lockFreeAccounts: () => Promise.resolve({ accounts: [], taken: [] }),
    lockStock: (listings) => tx.lockStock(listings),
    lockFreeStock: (listings) => tx.lockFreeStock(listings),
    lockCatalog: () => tx.lockCatalog(),
    recorded: (keys) => tx.recorded(keys),
    holdings: (keys) => tx.holdings(keys),
    purchaseCounts: (keys) => tx.purchaseCounts(keys),
    now: () => tx.now(),
    lastPosition: () => tx.lastPosition(),
    save: (changes) => tx.save(changes),
  };
}
