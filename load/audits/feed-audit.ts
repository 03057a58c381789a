import { Faults } from './faults.ts';
import type { RecordedOperation } from './recorded-operations.ts';

/** Compares what a follower has seen, receipt by receipt as it came, with the operations table: row for row, in order. */
export function feedFaults(
  operations: readonly RecordedOperation[],
  seen: readonly string[],
): readonly string[] {
  const faults = new Faults();
  const first = operations.findIndex(({ text }, i) => text !== seen[i]);
  const differs = first !== -1 || seen.length > operations.length;
  if (!differs) return faults.lines;
  const at = first === -1 ? operations.length : first;
  faults.add(
    'row for row',
    `from row ${at} of ${operations.length} on, where ${operations[at]?.text ?? 'the table ends'} was seen as ${seen[at] ?? 'nothing'}`,
  );
  const counts = new Map<string, number>();
  for (const text of seen) counts.set(text, (counts.get(text) ?? 0) + 1);
  for (const { text, id } of operations) if (!counts.has(text)) faults.add('never seen', id);
  for (const [text, count] of counts) if (count > 1) faults.add('seen more than once', text);
  return faults.lines;
}

/** Adds the operations up in their order: each account’s versions rise by one, each balance follows from the one before. */
export function historyFaults(operations: readonly RecordedOperation[]): readonly string[] {
  const faults = new Faults();
  const versions = new Map<string, number>();
  const balances = new Map<string, number>();
  for (const { id, receipt } of operations) {
    for (const [account, { version }] of Object.entries(receipt.accounts)) {
      if (version !== (versions.get(account) ?? 0) + 1)
        faults.add('a version that does not follow', `${account} ${version} by ${id}`);
      versions.set(account, version);
    }
    for (const { account, asset, delta, balance } of receipt.entries) {
      const holding = `${account} ${asset}`;
      if (balance !== (balances.get(holding) ?? 0) + delta || balance < 0)
        faults.add('a balance that does not follow', `${holding} ${balance} by ${id}`);
      balances.set(holding, balance);
    }
  }
  return faults.lines;
}
