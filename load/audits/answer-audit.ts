import { Faults } from './faults.ts';
import type { RecordedOperation } from './recorded-operations.ts';

/**
 * Compares what callers were told with what is on record since then: each receipt that was answered is there once, word for
 * word; and nothing is there that nobody was told of. Rewards have no caller.
 */
export function answerFaults(
  operations: readonly RecordedOperation[],
  receipts: readonly string[],
  since: number,
): readonly string[] {
  const faults = new Faults();
  const untold = new Map(
    operations
      .filter(({ position, type }) => position > since && type !== 'reward')
      .map(({ id, text }) => [text, id]),
  );
  for (const receipt of receipts)
    if (!untold.delete(receipt)) faults.add('answered and not on record', receipt);
  for (const id of untold.values()) faults.add('on record and never answered', id);
  return faults.lines;
}
