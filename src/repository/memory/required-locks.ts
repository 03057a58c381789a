import { listingHome } from '../../domain/command.ts';
import type { Changes } from '../repository.ts';
import type { LockOwner } from './lock-table.ts';
import type { MemoryDatabase } from './memory-database.ts';
import * as rows from './row-names.ts';

/**
 * Throws unless the transaction has locked every row that guards what it saves. PostgreSQL would save it all the same
 * and lose someone's update one day; a fake can afford to tell.
 */
export function requireLocks({ locks, tables }: MemoryDatabase, owner: LockOwner, changes: Changes): void {
  const { accounts = [], holdings = [], purchases = [], profiles = [], operations = [] } = changes;
  const { stock = [], assets = [], listings = [], rewardRules = [] } = changes;
  const guarding = [
    ...[...accounts, ...profiles].map(({ id }) => rows.account(id)),
    ...[...holdings, ...purchases].map(({ account }) => rows.account(account)),
    ...operations.flatMap(({ home, entries }) => [
      ...guardOf(home, tables),
      ...entries.map(({ account }) => rows.account(account)),
    ]),
    // A stock row comes into being with its listing: there is nothing else to lock yet.
    ...stock.map(({ listing }) =>
      tables.stock.get(listing) === undefined ? rows.catalog : rows.stock(listing),
    ),
    ...(assets.length + listings.length + rewardRules.length === 0 ? [] : [rows.catalog]),
  ];
  const missing = guarding.find((row) => !locks.holds(owner, row));
  if (missing !== undefined)
    throw new Error(`a save that is guarded by the lock of ${missing}, which it does not hold`);
}

/** What guards the keys of a home: its account, or the stock of its listing once there is one. */
function guardOf(home: string, tables: MemoryDatabase['tables']): string[] {
  const listing = home.startsWith(listingHome('')) ? home.slice(listingHome('').length) : undefined;
  if (listing === undefined) return [rows.account(home)];
  return tables.stock.get(listing) === undefined ? [] : [rows.stock(listing)];
}
