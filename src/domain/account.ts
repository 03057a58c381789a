/**
 * An owner, as it stands under its row lock. The row guards everything the account owns; `version` goes up by
 * one with each operation on the account, and with nothing else.
 */
export interface Account {
  readonly id: string;
  readonly version: number;
  /** Put by a client, as opposed to come into being by its first operation. */
  readonly declared: boolean;
  /** The most stacks of items it may hold; null: no limit. */
  readonly capacity: number | null;
  /** How many stacks it holds: assets of kind `item` in a quantity above zero. */
  readonly stacks: number;
  /** When its last operation took effect, in ms since the epoch; null: it had none. */
  readonly atMs: number | null;
}

/** Tells an account from a row that was only ensured, to have something to lock: that one does not exist for anyone. */
export function accountExists({ version, declared }: Account): boolean {
  return version > 0 || declared;
}
