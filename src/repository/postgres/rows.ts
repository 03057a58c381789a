import type { Account } from '../../domain/account.ts';
import type { Stock } from '../../domain/stock.ts';
import type { Row } from './pipeline.ts';

/** The parsing boundary of the hot path: a column that does not have the type its statement says is a bug. */
export function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError(`expected text from the database, got ${typeof value}`);
  return value;
}

export function numberOf(value: unknown): number {
  if (typeof value !== 'number')
    throw new TypeError(`expected a number from the database, got ${typeof value}`);
  return value;
}

export function numberOrNull(value: unknown): number | null {
  return value === null ? null : numberOf(value);
}

export function accountOf([id, version, declared, capacity, stacks, atMs]: Row): Account {
  return {
    id: textOf(id),
    version: numberOf(version),
    declared: declared === true,
    capacity: numberOrNull(capacity),
    stacks: numberOf(stacks),
    atMs: numberOrNull(atMs),
  };
}

export function stockOf([listing, offered, refilled, remaining, refilledAtMs]: Row): Stock {
  return {
    listing: textOf(listing),
    offered: numberOf(offered),
    refilled: numberOf(refilled),
    remaining: numberOf(remaining),
    refilledAtMs: numberOf(refilledAtMs),
  };
}
