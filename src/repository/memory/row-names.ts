/** What the lock table calls the rows that can be locked. */
export const catalog = 'catalog';

export function account(id: string): string {
  return `account ${id}`;
}

export function stock(listing: string): string {
  return `stock ${listing}`;
}
