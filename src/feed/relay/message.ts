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
const headerBytesMax = 512;

/** Of the broker: what a message is known by, so that one that comes twice is dropped. */
const messageId = 'Nats-Msg-Id';
/** Of the broker: it takes the message only right behind the one that is named so, and none can overtake another. */
const expectedLast = { sequence: 'Nats-Expected-Last-Sequence', id: 'Nats-Expected-Last-Msg-Id' };
/** The operation's place in the feed. */
const position = 'Holdfast-Position';

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
 * fits by chance.
 */
export function headersOf({ operation }: OutgoingMessage, behind: number | OutgoingMessage): MsgHdrs {
  const all = headers();
  all.append(messageId, operation.id);
  if (typeof behind === 'number') all.append(expectedLast.sequence, String(behind));
  else all.append(expectedLast.id, behind.operation.id);
  all.append('Holdfast-Type', operation.type);
  all.append('Holdfast-Home', operation.home);
  all.append(position, String(operation.position));
  return all;
}

/** Null: the message is not one of ours. */
export function operationIn(header: MsgHdrs): RelayedOperation | null {
  const at = header.get(position);
  const id = header.get(messageId);
  return /^[0-9]{1,16}$/.test(at) && id !== '' ? { id, position: Number(at) } : null;
}
