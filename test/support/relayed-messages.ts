import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';

/** A message as it lies in the stream. */
export interface RelayedMessage {
  readonly subject: string;
  readonly sequence: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: string;
}

const atOnce = 200;

/** All that a stream holds at this moment, in its order. */
export async function relayedMessages(connection: NatsConnection, stream: string): Promise<RelayedMessage[]> {
  const manager = await jetstreamManager(connection, { timeout: 20_000 });
  const { state } = await manager.streams.info(stream);
  const messages: RelayedMessage[] = [];
  for (let from = state.first_seq; from <= state.last_seq; from += atOnce) {
    const count = Math.min(atOnce, state.last_seq - from + 1);
    const page = await Promise.all(
      Array.from({ length: count }, (_, i) => manager.streams.getMessage(stream, { seq: from + i })),
    );
    for (const message of page) {
      // One that was deleted.
      if (message === null) continue;
      const headers = Object.fromEntries(
        [...message.header].map(([name, [value = '']]) => [name, value] as const),
      );
      messages.push({ subject: message.subject, sequence: message.seq, headers, payload: message.string() });
    }
  }
  return messages;
}
