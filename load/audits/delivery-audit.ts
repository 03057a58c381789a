import { Faults } from './faults.ts';
import type { RecordedOperation } from './recorded-operations.ts';

/** A webhook as it was asked for. */
export interface AuditedWebhook {
  /** Null: all. */
  readonly types: readonly string[] | null;
  /** The last position in the feed when it was asked for: what stands there or before it is not its. */
  readonly since: number;
}

/**
 * Compares what an endpoint has acknowledged with the operations that it should get: each at least once, and nothing
 * else. `acknowledged`: how often, by the operation's id.
 */
export function deliveryFaults(
  operations: readonly RecordedOperation[],
  { types, since }: AuditedWebhook,
  acknowledged: ReadonlyMap<string, number>,
): readonly string[] {
  const faults = new Faults();
  const due = operations.filter(
    ({ position, type }) => position > since && (types === null || types.includes(type)),
  );
  for (const { id, position } of due)
    if ((acknowledged.get(id) ?? 0) < 1) faults.add('not delivered', `${id} at ${position}`);
  const ids = new Set(due.map(({ id }) => id));
  for (const id of acknowledged.keys()) if (!ids.has(id)) faults.add('delivered to the wrong endpoint', id);
  return faults.lines;
}
