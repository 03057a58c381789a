import type { Repository, Tx } from '../../src/repository/repository.ts';
import { Gate } from './gate.ts';

/** A transaction that has done its work, holds its locks, and ends when the test says so. */
export interface HeldTransaction {
  commit(): Promise<void>;
  rollBack(): Promise<void>;
}

export async function hold(
  repository: Pick<Repository, 'transaction'>,
  work: (tx: Tx) => Promise<unknown>,
): Promise<HeldTransaction> {
  const worked = new Gate();
  const ending = new Gate();
  const givenUp = new Error('the test gave the transaction up');
  let keep = true;
  const ended = repository.transaction(async (tx) => {
    await work(tx);
    worked.open();
    await ending.opened;
    if (!keep) throw givenUp;
  });
  await Promise.race([worked.opened, ended]);
  return {
    commit: async () => {
      ending.open();
      await ended;
    },
    rollBack: async () => {
      keep = false;
      ending.open();
      await ended.catch((error: unknown) => {
        if (error !== givenUp) throw error;
      });
    },
  };
}
