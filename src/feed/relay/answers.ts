import { createInbox, type Msg, type NatsConnection, type Subscription } from '@nats-io/transport-node';

/** What the broker answers to a message. */
export interface PubAck {
  /** Where in the stream it is; one that was there already has kept its place. */
  readonly seq?: number;
  readonly stream?: string;
  readonly duplicate?: boolean;
  readonly error?: { readonly err_code: number; readonly description: string };
}

/**
 * The answers to messages that are under way together. The library's own `publish` waits for each with a timer and a stack
 * trace: 24 to 42 µs of processor a message, instead of 12.
 */
export class Answers {
  /** In the order of the messages; rejects when they can't come any more. */
  readonly all: Promise<readonly PubAck[]>;
  readonly #inbox = createInbox();
  readonly #connection: NatsConnection;
  readonly #subscription: Subscription;
  readonly #reject: (error: Error) => void;

  constructor(connection: NatsConnection, count: number) {
    const { promise, resolve, reject } = Promise.withResolvers<readonly PubAck[]>();
    const answers = new Array<PubAck | undefined>(count).fill(undefined);
    let missing = count;
    this.all = promise;
    // Whoever fails while the messages are being sent has not begun to wait.
    promise.catch(() => undefined);
    this.#reject = reject;
    this.#connection = connection;
    this.#subscription = connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, answer) => {
        if (error !== null) {
          reject(error);
          return;
        }
        const index = Number(answer.subject.slice(this.#inbox.length + 1));
        if (answers[index] !== undefined) return;
        answers[index] = readAnswer(answer);
        missing -= 1;
        if (missing === 0) resolve(answers.filter((given) => given !== undefined));
      },
    });
  }

  /** Where the answer to the message with this index is to be sent. */
  subjectFor(index: number): string {
    return `${this.#inbox}.${index}`;
  }

  fail(reason: string): void {
    this.#reject(new Error(reason));
  }

  close(): void {
    if (!this.#connection.isClosed()) this.#subscription.unsubscribe();
  }
}

function readAnswer(answer: Msg): PubAck {
  // The broker's own, with the status 503: nobody listens there.
  if (answer.data.length === 0) return refused('no stream takes its subject, or JetStream is off');
  try {
    return answer.json<PubAck>();
  } catch {
    return refused('it is no JetStream that answers');
  }
}

function refused(description: string): PubAck {
  return { error: { err_code: 0, description } };
}
