import type { Entry, Receipt } from '../../domain/operation.ts';
import { timestamp } from '../../domain/time.ts';
import type { AuditedEntry, AuditedOperation } from '../../repository/audit.ts';
import { differences } from '../differences.ts';
import type { Findings } from '../findings.ts';
import type { OperationOnRecord, OperationPart } from './operation-part.ts';

/**
 * The entries of an operation are exactly those that its receipt states, and no other entry has their account and
 * version. Together with the accounts' own check, that each entry's account and version are stated by the receipt of its
 * operation, receipts and entries say the same, both ways.
 */
export class StatedEntriesPart implements OperationPart {
  readonly #findings: Findings;

  constructor({ findings }: { findings: Findings }) {
    this.#findings = findings;
  }

  operation({ row, receipt, entries }: OperationOnRecord): void {
    if (typeof receipt === 'string') return;
    const unstated = new Set(entries);
    const byHolding = new Map(entries.map((entry) => [holdingOf(entry), entry]));
    for (const stated of receipt.entries) {
      const entry = byHolding.get(holdingOf(stated));
      if (entry === undefined) {
        this.#missing(row, receipt, stated);
      } else {
        unstated.delete(entry);
        this.#compare(row, stated, entry);
      }
    }
    for (const entry of unstated) this.#unstated(row, entry);
  }

  #missing({ id }: AuditedOperation, { accounts }: Receipt, { account, asset, delta, balance }: Entry): void {
    const version = accounts[account]?.version ?? 0;
    this.#findings.add(
      'entry_missing',
      { account, asset, version, operation: id },
      {
        expected: { delta, balance },
        found: null,
        message: `the receipt of operation ${id} states an entry of ${asset} for account ${account} at version ${version}, which is not there`,
      },
    );
  }

  #compare({ id, type, atMs }: AuditedOperation, stated: Entry, entry: AuditedEntry): void {
    const { account, asset, version, operation, delta, balance } = entry;
    // Almost always all is well, and nothing needs to be put into words.
    if (delta === stated.delta && balance === stated.balance && operation === id) {
      if (type === entry.type && atMs === entry.atMs) return;
    }
    const wrong = differences(
      { operation: id, type, at: timestamp(atMs), delta: stated.delta, balance: stated.balance },
      { operation, type: entry.type, at: timestamp(entry.atMs), delta, balance },
    );
    if (wrong === undefined) return;
    const { expected, found, members } = wrong;
    this.#findings.add(
      'entry_differs',
      { account, asset, version, operation: id },
      {
        expected,
        found,
        message: `the entry of ${asset} of account ${account} at version ${version} has another ${members.join(', ')} than operation ${id} states`,
      },
    );
  }

  #unstated({ id }: AuditedOperation, { account, asset, version, operation, delta, balance }: AuditedEntry) {
    this.#findings.add(
      'entry_unstated',
      { account, asset, version, operation },
      {
        expected: null,
        found: { delta, balance },
        message: `account ${account} has an entry of ${asset} at version ${version} that the receipt of operation ${id}, which made that version, does not state`,
      },
    );
  }
}

function holdingOf({ account, asset }: { account: string; asset: string }): string {
  return `${account} ${asset}`;
}
