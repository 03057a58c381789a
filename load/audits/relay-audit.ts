import { Faults } from './faults.ts';
import type { RecordedOperation } from './recorded-operations.ts';

/** A message as the broker has it, in the order of its stream. */
export interface AuditedMessage {
  readonly subject: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: string;
}

/**
 * Compares a stream with the operations table: each operation is there once, word for word, under its type's subject;
 * and each account's operations are in the order in which they took effect.
 */
export function relayFaults(
  operations: readonly RecordedOperation[],
  messages: readonly AuditedMessage[],
  prefix = 'holdfast.operations',
): readonly string[] {
  const faults = new Faults();
  const recorded = new Map(operations.map((operation) => [operation.id, operation]));
  const seen = new Set<string>();
  const reached = new Map<string, number>();
  for (const { subject, headers, payload } of messages) {
    const id = headers['Nats-Msg-Id'] ?? '';
    const operation = recorded.get(id);
    if (operation === undefined) {
      faults.add('not on record', `${subject} ${id}`);
      continue;
    }
    if (seen.has(id)) faults.add('there twice', id);
    seen.add(id);
    if (payload !== operation.text || subject !== `${prefix}.${operation.type}`)
      faults.add('not word for word', `${subject} ${payload}`);
    for (const home of new Set([operation.home, ...Object.keys(operation.receipt.accounts)])) {
      if (operation.position <= (reached.get(home) ?? 0)) faults.add('out of order', `${home} ${id}`);
      reached.set(home, operation.position);
    }
  }
  for (const { id, position } of operations) if (!seen.has(id)) faults.add('missing', `${id} at ${position}`);
  return faults.lines;
}
