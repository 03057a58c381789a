import type { Receipt } from '../../domain/operation.ts';
import type { StockLine } from '../../domain/stock.ts';
import type { AuditedEntry, AuditedOperation } from '../../repository/audit.ts';

/** One thing that is checked of every operation. */
export interface OperationPart {
  /** Called for each, in the order of their positions. */
  operation(operation: OperationOnRecord): void;
}

/** An operation with all that was kept of it, from one snapshot. */
export interface OperationOnRecord {
  readonly row: AuditedOperation;
  /** What is wrong with it, where it can't be read. */
  readonly receipt: Receipt | string;
  /** What it did to limited stock; undefined: it can't be read, which the stock's own check says. */
  readonly stock: readonly StockLine[] | undefined;
  /** All entries, whoever's they are, of the accounts in the receipt at the versions that it states. */
  readonly entries: readonly AuditedEntry[];
}
