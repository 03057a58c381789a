import { jetstreamManager, JetStreamApiCodes, type JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { HeldUpError } from '../consumer.ts';
import {
  bytesOf,
  headersOf,
  idIn,
  lastInOrder,
  type OutgoingMessage,
  type RelayedOperation,
} from './message.ts';
import { Answers, type PubAck } from './answers.ts';
import { ensureStream, type StreamSettings } from './stream-config.ts';

/** The end of the stream. */
export interface StreamEnd {
  /** Of its last message; 0: it never had one. */
  readonly sequence: number;
  /** What that message is known by; null: it is gone. */
  readonly id: string | null;
  /**
   * The last operation that is in the order of the feed: as a rule that of the last message. Null: that is gone, or was not
   * ours.
   */
  readonly operation: RelayedOperation | null;
}

export interface AppendOptions {
  /** They are not in the order of the feed, and say so. */
  readonly outOfOrder: boolean;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Why messages are not in the stream. */
export interface Refusal {
  readonly reason: string;
  /** The stream does not end where we thought: nothing is wrong with it. */
  readonly outOfStep: boolean;
}

/** The stream of the operations, by way of one connection. */
export class RelayStream {
  /** What the broker takes as one message. */
  readonly messageBytesMax: number;
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #settings: StreamSettings;
  #end: StreamEnd | undefined;
  #waiting: Answers | undefined;

  /** Creates the stream or checks it; see `ensureStream`. */
  static async open(
    connection: NatsConnection,
    settings: StreamSettings,
    { answerMs, log }: { answerMs: number; log: { warn(fields: object, message: string): void } },
  ): Promise<RelayStream> {
    const manager = await jetstreamManager(connection, { timeout: answerMs });
    const { max_msg_size: ofStream } = await ensureStream(manager, settings, log);
    const ofServer = connection.info?.max_payload ?? 0;
    const messageBytesMax = ofStream > 0 ? Math.min(ofStream, ofServer) : ofServer;
    return new RelayStream({ connection, manager, settings, messageBytesMax });
  }

  private constructor(stream: {
    connection: NatsConnection;
    manager: JetStreamManager;
    settings: StreamSettings;
    messageBytesMax: number;
  }) {
    this.#connection = stream.connection;
    this.#manager = stream.manager;
    this.#settings = stream.settings;
    this.messageBytesMax = stream.messageBytesMax;
    // Once: whoever waits must not hang on to a promise that lives as long as the connection.
    stream.connection.closed().then(
      () => {
        this.#waiting?.fail('the connection was lost');
      },
      () => undefined,
    );
  }

  fits(message: OutgoingMessage): boolean {
    return bytesOf(message) <= this.messageBytesMax;
  }

  /** Where the stream ends: as this connection left it, or, when it does not know, as the broker says. */
  async end(): Promise<StreamEnd> {
    return (this.#end ??= await this.#readEnd());
  }

  /**
   * Appends messages behind the end, all under way at once, and answers when the broker has kept them: null. Each is taken
   * only right behind the one before it, so none is in the stream without those before it, and the last one's answer is
   * for all of them. Otherwise why not: then any number of them, from the first on, may be in the stream, which tells. Throws
   * a `HeldUpError` when there is no answer in time; the same is true then.
   */
  async append(messages: readonly OutgoingMessage[], options: AppendOptions): Promise<Refusal | null> {
    const end = await this.end();
    // From here on it is known only by the answers.
    this.#end = undefined;
    const answers = await this.#publish(messages, end, options);
    for (const answer of answers) {
      const refusal = refusalIn(answer, this.#settings.stream);
      if (refusal !== null) return refusal;
    }
    const operation = messages.at(-1)?.operation;
    const last = answers.at(-1);
    // One that was there already says where it is, which may not be the end: then that is to be read.
    if (operation !== undefined && last?.seq !== undefined && last.duplicate !== true) {
      const inOrder = options.outOfOrder ? end.operation : operation;
      this.#end = { sequence: last.seq, id: operation.id, operation: inOrder };
    }
    return null;
  }

  /** The answers to the first and the last. The first one's says why it is refused; the others' would only follow from that. */
  async #publish(
    messages: readonly OutgoingMessage[],
    end: StreamEnd,
    { outOfOrder, timeoutMs, signal }: AppendOptions,
  ): Promise<readonly PubAck[]> {
    const asked = messages.length > 1 ? [0, messages.length - 1] : [0];
    const answers = new Answers(this.#connection, asked.length);
    const giveUp = (): void => {
      answers.fail('no answer in time');
    };
    this.#waiting = answers;
    signal.addEventListener('abort', giveUp, { once: true });
    const timer = setTimeout(giveUp, timeoutMs);
    try {
      signal.throwIfAborted();
      for (const [i, message] of messages.entries()) {
        const subject = `${this.#settings.subjectPrefix}.${message.operation.type}`;
        const after = outOfOrder ? end.operation : undefined;
        const headers = headersOf(message, messages[i - 1] ?? end.sequence, after);
        const answer = asked.indexOf(i);
        const reply = answer === -1 ? {} : { reply: answers.subjectFor(answer) };
        this.#connection.publish(subject, message.payload, { headers, ...reply });
      }
      return await answers.all;
    } catch (error) {
      throw new HeldUpError(`NATS has not confirmed operations: ${textOf(error)}`, { cause: error });
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      this.#waiting = undefined;
      answers.close();
    }
  }

  async #readEnd(): Promise<StreamEnd> {
    const { stream } = this.#settings;
    try {
      const { state } = await this.#manager.streams.info(stream);
      const sequence = state.last_seq;
      const last = sequence === 0 ? null : await this.#manager.streams.getMessage(stream, { seq: sequence });
      if (last === null) return { sequence, id: null, operation: null };
      return { sequence, id: idIn(last.header), operation: lastInOrder(last.header) };
    } catch (error) {
      throw new HeldUpError(`NATS does not say where the stream ${stream} ends: ${textOf(error)}`, {
        cause: error,
      });
    }
  }
}

function refusalIn({ seq, stream, error }: PubAck, expected: string): Refusal | null {
  if (error !== undefined)
    return { reason: error.description, outOfStep: wrongLast.includes(error.err_code) };
  if (seq !== undefined && stream === expected) return null;
  return { reason: `not the stream ${expected} has answered, but ${stream ?? 'none'}`, outOfStep: false };
}

const wrongLastMessageId = 10070;
const wrongLast: readonly number[] = [
  wrongLastMessageId,
  JetStreamApiCodes.StreamWrongLastSequence,
  JetStreamApiCodes.StreamWrongLastSequenceUnknown,
];

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
