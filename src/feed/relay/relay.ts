import type { FeedOperation, Turn } from '../../repository/consumers.ts';
import type { Reads } from '../../repository/repository.ts';
import { HeldUpError, type Consumer, type Handle, type PageWork } from '../consumer.ts';
import type { Broker } from './broker.ts';
import { outgoing, type OutgoingMessage } from './message.ts';
import type { RelayStream } from './relay-stream.ts';

export interface RelaySettings {
  /** Messages that are under way at once, at most. */
  readonly inFlightMax: number;
  /** How long the broker may take to keep messages that are under way together. */
  readonly timeoutMs: number;
}

export interface RelayLog {
  warn(fields: object, message: string): void;
}

/** How often in one turn the end of the stream may turn out to be another than we thought. */
const missesMax = 3;

/**
 * Copies the feed into a stream of NATS JetStream: every operation is in it, once and in the order of the feed, when the
 * cursor has passed it. The broker takes each message only right behind the one before, and a turn that is repeated, however
 * late, passes over what the end of the stream shows to be there already.
 */
export class Relay implements Consumer {
  readonly name = 'relay';
  readonly from = 'beginning';
  readonly #broker: Pick<Broker, 'stream' | 'drop'>;
  readonly #reads: Pick<Reads, 'operation'>;
  readonly #settings: RelaySettings;
  readonly #log: RelayLog;

  constructor(deps: {
    broker: Pick<Broker, 'stream' | 'drop'>;
    reads: Pick<Reads, 'operation'>;
    settings: RelaySettings;
    log: RelayLog;
  }) {
    this.#broker = deps.broker;
    this.#reads = deps.reads;
    this.#settings = deps.settings;
    this.#log = deps.log;
  }

  prepare(): Promise<Handle> {
    return Promise.resolve(this.handle.bind(this));
  }

  async handle(
    operations: readonly FeedOperation[],
    turn: Pick<Turn, 'park'>,
    { outOfOrder, signal }: Pick<PageWork, 'outOfOrder' | 'signal'>,
  ): Promise<void> {
    const stream = await this.#broker.stream(signal);
    const messages = operations.map(outgoing).filter((message) => {
      if (stream.fits(message)) return true;
      const reason = tooLarge(message, stream);
      turn.park(message.operation, reason);
      this.#log.warn(
        { operation: message.operation.id, reason },
        'NATS can’t take an operation: it is parked',
      );
      return false;
    });
    try {
      await this.#append(stream, messages, { outOfOrder, signal });
    } catch (error) {
      // The next turn finds out anew how things are: whether the broker answers, and what the stream takes.
      await this.#broker.drop();
      throw error;
    }
  }

  async #append(
    stream: RelayStream,
    messages: readonly OutgoingMessage[],
    { outOfOrder, signal }: { outOfOrder: boolean; signal: AbortSignal },
  ): Promise<void> {
    const ahead = async (all: readonly OutgoingMessage[]): Promise<readonly OutgoingMessage[]> =>
      outOfOrder ? await notLast(stream, all) : await this.#notRelayed(stream, all);
    let left = await ahead(messages);
    let misses = 0;
    while (left.length > 0) {
      const some = left.slice(0, this.#settings.inFlightMax);
      const { timeoutMs } = this.#settings;
      const refusal = await stream.append(some, { outOfOrder, timeoutMs, signal });
      if (refusal === null) {
        left = left.slice(some.length);
        continue;
      }
      misses += 1;
      if (!refusal.outOfStep || misses === missesMax)
        throw new HeldUpError(`NATS refuses operations: ${refusal.reason}`);
      // Another replica had the turn meanwhile, or an answer was lost: the stream itself tells how far it is.
      left = await ahead(left);
    }
  }

  /**
   * Those that are not in the stream yet. It has them in the order of the feed, so all up to the one at its end are there;
   * unless that one is not known here: then it is of another history, such as that of a database that was set back.
   */
  async #notRelayed(
    stream: RelayStream,
    messages: readonly OutgoingMessage[],
  ): Promise<readonly OutgoingMessage[]> {
    const { operation: last } = await stream.end();
    const [first] = messages;
    if (last === null || first === undefined || last.position < first.operation.position) return messages;
    if ((await this.#reads.operation(last.id)) !== undefined)
      return messages.filter(({ operation }) => operation.position > last.position);
    this.#log.warn(
      { operation: last.id, position: last.position },
      'the stream ends with an operation that this database does not know; relaying goes on from the cursor',
    );
    return messages;
  }
}

/** Those that the stream does not end with: what is out of its order may be further back, where only the window knows it. */
async function notLast(
  stream: RelayStream,
  messages: readonly OutgoingMessage[],
): Promise<readonly OutgoingMessage[]> {
  const { id } = await stream.end();
  return messages.filter(({ operation }) => operation.id !== id);
}

function tooLarge({ payload }: OutgoingMessage, { messageBytesMax }: RelayStream): string {
  return `its receipt has ${payload.byteLength} bytes, and NATS takes messages of ${messageBytesMax} with their headers (max_payload, or the stream’s max_msg_size)`;
}
