import { headers, type MsgHdrs } from '@nats-io/transport-node';
import type { FeedOperation } from '../../repository/consumers.ts';

/** An operation on its way to the broker. */
export interface OutgoingMessage {
  readonly operation: FeedOperation;
  /** The receipt, word for word. */
  readonly payload: Uint8Array;
}

/** The operation that a message of the stream was made of. */
export interface RelayedOperation {
  readonly id: string;
  readonly position: number;
}

/** What the headers of a message take at most: no name in them is longer than an identifier. */
const headerBytesMax = 640;

/** Of the broker: what a message is known by, so that one that comes twice is dropped. */
const messageId = 'Nats-Msg-Id';
/** Of the broker: it takes the message only right behind the one that is named so, and none can overtake another. */
const expectedLast = { sequence: 'Nats-Expected-Last-Sequence', id: 'Nats-Expected-Last-Msg-Id' };
/** The operation's place in the feed. */
const position = 'Holdfast-Position';
/** Of one that is out of its order: the last before it that is in order, as `<position> <id>`, or nothing, if that is not known. */
const outOfOrderAfter = 'Holdfast-Out-Of-Order-After';

export function outgoing(operation: FeedOperation): OutgoingMessage {
  return { operation, payload: Buffer.from(operation.receipt) };
}

/** What the whole message takes, or a little more. */
export function bytesOf({ payload }: OutgoingMessage): number {
  return payload.byteLength + headerBytesMax;
}

/**
 * `behind`: what it must come right behind. The end of the stream is known by its number; a message that is only under way
 * has none yet, and to reckon it would not do: where the stream has grown meanwhile, the number of some later message
 * fits by chance. `after`: of one that is out of its order, the last before it that is not; undefined: it is in order.
 */
export function headersOf(
  { operation }: OutgoingMessage,
  behind: number | OutgoingMessage,
  after: RelayedOperation | null | undefined,
): MsgHdrs {
  const all = headers();
  all.append(messageId, operation.id);
  if (typeof behind === 'number') all.append(expectedLast.sequence, String(behind));
  else all.append(expectedLast.id, behind.operation.id);
  all.append('Holdfast-Type', operation.type);
  all.append('Holdfast-Home', operation.home);
  all.append(position, String(operation.position));
  if (after !== undefined) all.append(outOfOrderAfter, after === null ? '' : `${after.position} ${after.id}`);
  return all;
}

/** The last operation in order, up to a message; null: the message is not one of ours, or could not tell either. */
export function lastInOrder(header: MsgHdrs): RelayedOperation | null {
  const own = `${header.get(position)} ${header.get(messageId)}`;
  const told = header.has(outOfOrderAfter) ? header.get(outOfOrderAfter) : own;
  const [, at, id] = /^([0-9]{1,16}) (.+)$/.exec(told) ?? [];
  return at === undefined || id === undefined ? null : { id, position: Number(at) };
}

/** What a message is known by. */
export function idIn(header: MsgHdrs): string {
  return header.get(messageId);
}
