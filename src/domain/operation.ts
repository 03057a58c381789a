import type { JsonObject } from './json.ts';
import type { StockLine } from './stock.ts';

/** One line of an operation: what it did to a holding, and the quantity owned after it. */
export interface Entry {
  readonly account: string;
  readonly asset: string;
  readonly delta: number;
  readonly balance: number;
}

/** What the caller gets back for an operation. It is stored as text and replayed word for word. */
export interface Receipt {
  readonly id: string;
  readonly type: string;
  /** RFC 3339, UTC, milliseconds. */
  readonly at: string;
  readonly actor: string;
  readonly dryRun: boolean;
  /** In the order account, asset. */
  readonly entries: readonly Entry[];
  readonly accounts: Readonly<Record<string, { readonly version: number }>>;
  readonly details: JsonObject;
}

/** An operation as it is on record, for verification. */
export interface RecordedOperation {
  /** The account that it belongs to, or the home of its listing. */
  readonly home: string;
  readonly receipt: Receipt;
  readonly stock: readonly StockLine[];
}
