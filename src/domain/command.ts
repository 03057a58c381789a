import type { Catalog } from './catalog.ts';
import type { Change } from './change.ts';
import type { JsonObject } from './json.ts';
import type { RecordedOperation } from './operation.ts';
import type { Rejection } from './rejection.ts';
import type { State } from './state.ts';

/**
 * One kind of operation: what it takes, which rows it must hold locked, and what it decides over them. Everything
 * in it is pure. `decide` reads no clock and rolls no dice; what it needs of either comes in its context.
 */
export interface CommandType<Input> {
  /** The operation's type in receipts and the feed. */
  readonly type: string;
  /** The account that the operation belongs to: its row and its idempotency key live there. See `listingHome`. */
  home(input: Input): string;
  /** The rows that `decide` may look at, given this catalog. Looking at any other throws. */
  footprint(input: Input, catalog: Catalog): Footprint;
  decide(input: Input, state: State, context: Context): Decision;
  /** Whether reward rules may be about it. Default: yes; no: it has no account, or is a reward itself. */
  readonly earns?: false;
  /** What must hold of every operation of this type on record; answers what is wrong with this one. For verification. */
  check?(operation: RecordedOperation): readonly string[];
}

/** The rows a command needs, in any order and with repetitions: the executor unites and sorts them. */
export interface Footprint {
  /** Locked. One that does not exist locks nothing. */
  readonly accounts: readonly string[];
  /** Those of `accounts` that the command may bring into being. */
  readonly creates: readonly string[];
  /** Read under the locks of their accounts. */
  readonly holdings: readonly HoldingKey[];
  /** Limited listings whose stock is locked, last of all. */
  readonly stock: readonly string[];
  /** Purchase counts, and those of rewards, read under the locks of their accounts. */
  readonly purchases: readonly PurchaseKey[];
}

export interface HoldingKey {
  readonly account: string;
  readonly asset: string;
}

export interface PurchaseKey {
  readonly account: string;
  /** A listing with a limit, or what `rewardCounter` calls a reward rule's. */
  readonly listing: string;
}

/** What a decision may know besides the state. */
export interface Context {
  /** The database's clock, taken when every lock was held; ms since the epoch. */
  readonly nowMs: number;
}

export type Decision = Accepted | Rejection;

export interface Accepted {
  readonly kind: 'accepted';
  readonly changes: readonly Change[];
  /** What the receipt says beside its entries. */
  readonly details: JsonObject;
}

export function accept(changes: readonly Change[], details: JsonObject): Accepted {
  return { kind: 'accepted', changes, details };
}

/** A command type with its input: what the executor works on, without knowing which kind it is. */
export interface Command {
  readonly type: string;
  readonly home: string;
  footprint(catalog: Catalog): Footprint;
  decide(state: State, context: Context): Decision;
}

export function commandOf<Input>(type: CommandType<Input>, input: Input): Command {
  return {
    type: type.type,
    home: type.home(input),
    footprint: (catalog) => type.footprint(input, catalog),
    decide: (state, context) => type.decide(input, state, context),
  };
}

/** The home of an operation on a listing alone. No account id begins with a slash, so the two never meet. */
export function listingHome(listing: string): string {
  return `/listings/${listing}`;
}
