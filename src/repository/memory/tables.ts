import type { Account } from '../../domain/account.ts';
import type { Asset } from '../../domain/asset.ts';
import type { Holding } from '../../domain/holding.ts';
import { newAccount } from '../../domain/ledger.ts';
import type { Listing, PurchaseCount } from '../../domain/listing.ts';
import type { RewardRule } from '../../domain/reward-rule.ts';
import type { Stock } from '../../domain/stock.ts';
import type { AccountProfile, EntryRecord, OperationRecord } from '../repository.ts';
import { Table } from './table.ts';

export type AccountRow = Account & Pick<AccountProfile, 'properties'>;
export type OperationRow = Omit<OperationRecord, 'entries'> & { readonly position: number };
export type EntryRow = EntryRecord & { readonly account: string };

/** Everything that was committed. */
export class Tables {
  readonly accounts = new Table<AccountRow>();
  readonly holdings = new Table<Holding>();
  readonly operations = new Table<OperationRow>();
  /** The unique index of operations over home, actor and key. */
  readonly keys = new Table<OperationRow>();
  readonly entries = new Table<EntryRow>();
  readonly stock = new Table<Stock>();
  readonly purchases = new Table<PurchaseCount>();
  readonly assets = new Table<Asset>();
  readonly listings = new Table<Listing>();
  readonly rewardRules = new Table<RewardRule>();
  /** Has one row, at the empty key. */
  readonly catalogVersion = new Table<number>([['', 1]]);
}

/** The key of a row that is known by several things. Identifiers hold no line break, nor may a header. */
export function rowKey(...parts: readonly (string | number)[]): string {
  return parts.join('\n');
}

/** An account that was only ensured: a row to lock, and nothing else yet. */
export function ensuredAccount(id: string): AccountRow {
  return { ...newAccount(id), properties: {} };
}
