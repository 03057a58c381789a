import { randomUUID } from 'node:crypto';
import {
  DiscardPolicy,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type JetStreamManager,
} from '@nats-io/jetstream';
import { connect, nanos, type NatsConnection } from '@nats-io/transport-node';
import { Broker } from '../../src/feed/relay/broker.ts';
import { Relay } from '../../src/feed/relay/relay.ts';
import type { FeedOperation, Turn } from '../../src/repository/consumers.ts';
import { NatsServer } from './nats-server.ts';
import { relayedMessages } from './relayed-messages.ts';
import { until } from './until.ts';

interface ReplicaSettings {
  inFlightMax?: number;
  timeoutMs?: number;
  warn?: (message: string) => unknown;
}

/** A real broker with a stream for each test, and any number of replicas that relay to it. */
export class RelayWorld {
  readonly server: NatsServer;
  /** What the database knows. */
  readonly known = new Map<string, FeedOperation>();
  readonly #leaving: (() => Promise<void>)[] = [];
  #connected: { connection: NatsConnection; manager: JetStreamManager } | undefined;
  stream = '';

  static async start(): Promise<RelayWorld> {
    return new RelayWorld(await NatsServer.start());
  }

  private constructor(server: NatsServer) {
    this.server = server;
  }

  get connection(): NatsConnection {
    return this.#there.connection;
  }

  get manager(): JetStreamManager {
    return this.#there.manager;
  }

  /** Before a test. */
  async begin(): Promise<void> {
    const connection = await connect({ servers: this.server.address, reconnect: false });
    this.#connected = { connection, manager: await jetstreamManager(connection) };
    this.stream = `S${randomUUID()}`;
    this.known.clear();
  }

  /** After a test. */
  async end(): Promise<void> {
    for (const leave of this.#leaving.splice(0)) await leave();
    await this.connection.close();
  }

  async stop(): Promise<void> {
    await this.server.stop();
  }

  /** Operations with positions from 1. */
  operations(count: number, given: Partial<FeedOperation> = {}): [FeedOperation, ...FeedOperation[]] {
    const make = (i: number): FeedOperation => {
      const id = randomUUID();
      const receipt = JSON.stringify({ id });
      const operation = { position: i + 1, id, type: 'grant', home: 'alice', atMs: 0, receipt, ...given };
      this.known.set(id, operation);
      return operation;
    };
    return [make(0), ...Array.from({ length: count - 1 }, (_, i) => make(i + 1))];
  }

  /** A replica's relay, connected. */
  async openRelay(given: ReplicaSettings = {}): Promise<Relay> {
    return (await this.openConnected(given)).relay;
  }

  async openConnected({
    inFlightMax = 256,
    timeoutMs = 5000,
    warn = () => undefined,
  }: ReplicaSettings = {}): Promise<{ relay: Relay; broker: Broker }> {
    const broker = await this.#openBroker();
    const reads = {
      operation: (id: string) => {
        const found = this.known.get(id);
        return Promise.resolve(found && { home: found.home, receipt: found.receipt });
      },
    };
    const log = { warn: (_fields: object, message: string) => warn(message) };
    return { relay: new Relay({ broker, reads, settings: { inFlightMax, timeoutMs }, log }), broker };
  }

  async #openBroker(): Promise<Broker> {
    const broker = new Broker(
      {
        address: { servers: [this.server.address], tls: false, credentials: {} },
        credentialsFile: null,
        name: 'test',
        answerMs: 3000,
        stream: this.stream,
        subjectPrefix: this.stream,
        duplicateWindowMs: 120_000,
        maxAgeMs: 0,
      },
      { info: () => undefined, warn: () => undefined, error: () => undefined },
    );
    const stopping = new AbortController();
    const running = broker.run(stopping.signal);
    this.#leaving.push(async () => {
      stopping.abort();
      await running;
    });
    await until('it is connected', () => broker.trouble === null);
    return broker;
  }

  /** A stream that someone has made before the relay came. */
  async addStream(limits: {
    duplicateWindowMs?: number;
    maxMessages?: number;
    messageBytesMax?: number;
  }): Promise<void> {
    await this.manager.streams.add({
      name: this.stream,
      subjects: [`${this.stream}.>`],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      duplicate_window: nanos(limits.duplicateWindowMs ?? 120_000),
      max_msg_size: limits.messageBytesMax ?? -1,
      ...(limits.maxMessages === undefined
        ? {}
        : { max_msgs: limits.maxMessages, discard: DiscardPolicy.New }),
    });
  }

  async addLimit(limit: { max_msgs?: number; max_msg_size?: number }): Promise<void> {
    await this.manager.streams.update(this.stream, limit);
  }

  /** Resolves when a message with this id would be taken for a new one, in a stream with the same window. */
  async forgotten(id: string): Promise<void> {
    const { config } = await this.manager.streams.info(this.stream);
    const name = `${this.stream}-probe`;
    await this.manager.streams.add({ name, subjects: [name], duplicate_window: config.duplicate_window });
    const client = this.manager.jetstream();
    await client.publish(name, '', { msgID: id });
    await until(
      'the window has passed',
      async () => !(await client.publish(name, '', { msgID: id })).duplicate,
    );
  }

  async relayedIds(): Promise<string[]> {
    const messages = await relayedMessages(this.connection, this.stream);
    return messages.map(({ headers }) => headers['Nats-Msg-Id'] ?? '');
  }

  get #there(): { connection: NatsConnection; manager: JetStreamManager } {
    if (this.#connected === undefined) throw new Error('no test has begun');
    return this.#connected;
  }
}

export function turnOf(given: Partial<Turn> = {}): Pick<Turn, 'park'> {
  return {
    park: (operation) => {
      throw new Error(`${operation.id} must not be parked`);
    },
    ...given,
  };
}

export function idsOf(all: readonly FeedOperation[]): string[] {
  return all.map(({ id }) => id);
}
