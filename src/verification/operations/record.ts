import type { JsonObject } from '../../domain/json.ts';
import type { Receipt } from '../../domain/operation.ts';
import type { StockLine } from '../../domain/stock.ts';
import { timestamp } from '../../domain/time.ts';
import type { AuditedOperation } from '../../repository/audit.ts';
import { bucketOf } from '../../repository/bucket.ts';
import { differences } from '../differences.ts';
import type { Findings } from '../findings.ts';
import type { OperationType } from '../ledger-check.ts';
import type { OperationOnRecord, OperationPart } from './operation-part.ts';

/** An operation by itself: its place, its receipt, and what its type says of it. */
export class RecordPart implements OperationPart {
  readonly #findings: Findings;
  readonly #types: ReadonlyMap<string, OperationType>;
  #before: AuditedOperation | undefined;

  constructor(deps: { findings: Findings; operationTypes: readonly OperationType[] }) {
    this.#findings = deps.findings;
    this.#types = new Map(deps.operationTypes.map((type) => [type.type, type]));
  }

  operation({ row, receipt, stock }: OperationOnRecord): void {
    this.#checkPlace(row);
    if (typeof receipt === 'string') {
      this.#findings.add(
        'receipt_malformed',
        { operation: row.id },
        {
          expected: 'a receipt',
          found: receipt,
          message: `the receipt of operation ${row.id} cannot be read: ${receipt}`,
        },
      );
    } else {
      this.#checkHead(row, receipt);
      this.#checkRules(row, receipt, stock);
    }
  }

  #checkPlace(row: AuditedOperation): void {
    const { id, position, home, bucket } = row;
    const where = { operation: id };
    if (bucket !== bucketOf(home)) {
      this.#findings.add('bucket', where, {
        expected: bucketOf(home),
        found: bucket,
        message: `operation ${id} of ${home} is in bucket ${bucket}`,
      });
    }
    if (position < 1) {
      this.#findings.add('position_range', where, {
        expected: 'at least 1',
        found: position,
        message: `operation ${id} has position ${position}, and the feed begins at 1`,
      });
    }
    if (position === this.#before?.position) {
      this.#findings.add('position_shared', where, {
        expected: 'a position of its own',
        found: position,
        message: `operations ${this.#before.id} and ${id} have the same position ${position}`,
      });
    }
    this.#before = row;
  }

  #checkHead({ id, type, atMs, actor }: AuditedOperation, receipt: Receipt): void {
    const recorded: JsonObject = { id, type, at: timestamp(atMs), actor, dryRun: false };
    const stated: JsonObject = {
      id: receipt.id,
      type: receipt.type,
      at: receipt.at,
      actor: receipt.actor,
      dryRun: receipt.dryRun,
    };
    const wrong = differences(recorded, stated);
    if (wrong === undefined) return;
    this.#findings.add(
      'receipt_head',
      { operation: id },
      {
        ...wrong,
        message: `the receipt of operation ${id} says something else of its ${wrong.members.join(', ')}`,
      },
    );
  }

  #checkRules(
    { id, home, type }: AuditedOperation,
    receipt: Receipt,
    stock: readonly StockLine[] | undefined,
  ): void {
    const known = this.#types.get(type);
    const where = { operation: id };
    if (known === undefined) {
      const expected = [...this.#types.keys()];
      const message = `operation ${id} is of type ${type}, which there is not`;
      this.#findings.add('operation_type', where, { expected, found: type, message });
      return;
    }
    if (stock === undefined) return;
    for (const fault of known.check?.({ home, receipt, stock }) ?? []) {
      const message = `operation ${id} is not what a ${type} may be: ${fault}`;
      this.#findings.add('operation_rule', where, { expected: `a ${type}`, found: fault, message });
    }
  }
}
