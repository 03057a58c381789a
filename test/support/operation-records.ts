import { newOperationId } from '../../src/execution/operation-id.ts';
import type { OperationRecord } from '../../src/repository/repository.ts';

/** An operation of an account on record, unless told otherwise one without entries under a key of its own. */
export function operationRecord(home: string, rest: Partial<OperationRecord> = {}): OperationRecord {
  const id = newOperationId();
  return {
    id,
    home,
    type: 'grant',
    atMs: Date.UTC(2026, 10, 21, 10),
    actor: 'key:test',
    idempotencyKey: id,
    requestHash: 'hash',
    receipt: JSON.stringify({ id }),
    entries: [],
    stock: [],
    ...rest,
  };
}
