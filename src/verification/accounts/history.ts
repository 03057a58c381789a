import { timestamp, timestampOrNull } from '../../domain/time.ts';
import type { AuditedEntry } from '../../repository/audit.ts';
import { bucketOf } from '../../repository/bucket.ts';
import type { Findings } from '../findings.ts';
import type { AccountPart, AccountRows, HistoryLine, HistoryOperation } from './account-part.ts';

/**
 * The order of an account's history: versions go up one by one from 1 to the account's own, times never back, and the
 * operations stand in the feed in the same order. So adding entries up by version, as the holdings are checked, is adding
 * them up in the order of the feed.
 */
export function historyPart(rows: AccountRows, findings: Findings): AccountPart {
  return new History(rows, findings);
}

class History implements AccountPart {
  readonly #rows: AccountRows;
  readonly #findings: Findings;
  readonly #bucket: number;
  #version = 0;
  #atMs: number | null = null;
  #position = -Infinity;

  constructor(rows: AccountRows, findings: Findings) {
    this.#rows = rows;
    this.#findings = findings;
    this.#bucket = bucketOf(rows.account);
    for (const row of [...rows.accounts, ...rows.holdings, ...rows.purchaseCounts]) this.#checkBucket(row);
  }

  entry({ entry, operation }: HistoryLine): void {
    this.#checkBucket(entry);
    if (entry.version === this.#version) return;
    const { account, version, asset, operation: id } = entry;
    if (version !== this.#version + 1) {
      this.#findings.add(
        'version_gap',
        { account, version },
        {
          expected: this.#version + 1,
          found: version,
          message: `the history of account ${account} goes from version ${this.#version} to ${version}`,
        },
      );
    }
    this.#version = version;
    this.#checkTime(entry);
    if (operation !== undefined) {
      this.#checkOperation(entry, operation);
    } else {
      this.#findings.add(
        'entry_without_operation',
        { account, asset, version, operation: id },
        {
          expected: id,
          found: null,
          message: `version ${version} of account ${account} was made by operation ${id}, which is not on record`,
        },
      );
    }
  }

  end(): void {
    const { account, accounts } = this.#rows;
    const row = accounts.find(({ bucket }) => bucket === this.#bucket) ?? accounts[0];
    const where = { account };
    if (row === undefined) {
      this.#findings.add('account_missing', where, {
        expected: { version: this.#version },
        found: null,
        message: `there is no account ${account}, to which entries, holdings or purchase counts belong`,
      });
      return;
    }
    if (row.version !== this.#version) {
      this.#findings.add('account_version', where, {
        expected: this.#version,
        found: row.version,
        message: `account ${account} is at version ${row.version}, and its last operation made version ${this.#version}`,
      });
    }
    if (row.atMs !== this.#atMs) {
      const [expected, found] = [timestampOrNull(this.#atMs), timestampOrNull(row.atMs)];
      const message = `account ${account} says that its last operation was at ${found ?? 'no time'}, and it was at ${expected ?? 'no time'}`;
      this.#findings.add('account_time', where, { expected, found, message });
    }
  }

  #checkTime({ account, version, operation, atMs }: AuditedEntry): void {
    if (this.#atMs !== null && atMs < this.#atMs) {
      this.#findings.add(
        'time_backwards',
        { account, version, operation },
        {
          expected: timestamp(this.#atMs),
          found: timestamp(atMs),
          message: `version ${version} of account ${account} is dated ${timestamp(atMs)}, and the one before it ${timestamp(this.#atMs)}`,
        },
      );
    }
    this.#atMs = atMs;
  }

  #checkOperation(
    { account, asset, version, operation: id, delta, balance }: AuditedEntry,
    { position, receipt }: HistoryOperation,
  ): void {
    if (receipt !== undefined && receipt.accounts[account]?.version !== version) {
      this.#findings.add(
        'entry_unstated',
        { account, asset, version, operation: id },
        {
          expected: null,
          found: { delta, balance },
          message: `account ${account} has entries at version ${version} that the receipt of their operation ${id} does not state`,
        },
      );
      return;
    }
    if (position <= this.#position) {
      this.#findings.add(
        'position_order',
        { account, version, operation: id },
        {
          expected: `above ${this.#position}`,
          found: position,
          message: `operation ${id}, which made version ${version} of account ${account}, is at position ${position} of the feed, not behind the one before it`,
        },
      );
    }
    this.#position = position;
  }

  #checkBucket(row: { readonly bucket: number; readonly asset?: string; readonly version?: number }): void {
    if (row.bucket === this.#bucket) return;
    const { account } = this.#rows;
    const { asset, version } = row;
    const where = {
      account,
      ...(asset === undefined ? {} : { asset }),
      // Where there is no asset, the version is the account's own and tells nothing.
      ...(asset === undefined || version === undefined ? {} : { version }),
    };
    this.#findings.add('bucket', where, {
      expected: this.#bucket,
      found: row.bucket,
      message: `a row of account ${account} is in bucket ${row.bucket}`,
    });
  }
}
