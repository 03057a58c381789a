import { readFile } from 'node:fs/promises';
import { credsAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import { HeldUpError } from '../consumer.ts';
import { sleepUntil } from '../sleep-until.ts';
import { connectOrClose } from './connect.ts';
import { RelayStream } from './relay-stream.ts';
import { UnfitStreamError, type StreamSettings } from './stream-config.ts';

export interface BrokerSettings extends StreamSettings {
  readonly address: BrokerAddress;
  /** A file with a JWT and a seed, as `nsc` writes them; it is read at each connection. */
  readonly credentialsFile: string | null;
  /** What the connection is called at the broker. */
  readonly name: string;
  /** How long a server may take to answer while the connection is made. */
  readonly answerMs: number;
}

export interface BrokerAddress {
  /** `host` or `host:port` each, servers of one cluster. */
  readonly servers: readonly string[];
  /** Never in the clear. Without it, TLS is used where the server asks for it. */
  readonly tls: boolean;
  readonly credentials:
    | { readonly user: string; readonly pass: string }
    | { readonly token: string }
    | Readonly<Record<string, never>>;
}

export interface BrokerLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** The broker is asked so often whether it is still there; after two questions without an answer it is not. */
const pingIntervalMs = 10_000;
const backoffMs = 250;
const backoffMsMax = 10_000;
/** How long the first to ask waits for a connection that is just being made. */
const firstConnectionMs = 500;

/**
 * Keeps one connection to the broker, and makes it anew for as long as it runs: nobody who needs it waits for that. The
 * library's own reconnecting is off, because it would send what was published meanwhile behind what was lost.
 */
export class Broker {
  readonly #settings: BrokerSettings;
  readonly #log: BrokerLog;
  readonly #firstAttempt = Promise.withResolvers<undefined>();
  #connection: NatsConnection | undefined;
  #stream: RelayStream | undefined;
  #trouble: BrokerTrouble = { kind: 'not connected', reason: 'no connection has been made yet' };

  constructor(settings: BrokerSettings, log: BrokerLog) {
    this.#settings = settings;
    this.#log = log;
  }

  /** Null: it is connected, and the stream is fit. */
  get trouble(): BrokerTrouble | null {
    return this.#stream === undefined ? this.#trouble : null;
  }

  /** The stream, as long as there is a connection; a `HeldUpError` when there is none. */
  async stream(signal: AbortSignal): Promise<RelayStream> {
    await sleepUntil(this.#firstAttempt.promise, { ms: firstConnectionMs, signal });
    if (this.#stream === undefined) throw new HeldUpError(`NATS: ${this.#trouble.reason}`);
    return this.#stream;
  }

  /** Gives up a connection that does not answer. */
  async drop(): Promise<void> {
    await this.#connection?.close();
  }

  /** Keeps the connection until the signal aborts, and closes it. */
  async run(stopping: AbortSignal): Promise<void> {
    let failures = 0;
    while (!stopping.aborted) {
      try {
        await this.#connect(stopping);
        failures = 0;
        if (await this.#lost(stopping)) throw new Error('the connection was lost');
      } catch (error) {
        this.#fail(error);
        failures += 1;
      } finally {
        this.#firstAttempt.resolve(undefined);
        this.#stream = undefined;
        await this.#connection?.close();
        this.#connection = undefined;
      }
      const ms = Math.min(backoffMsMax, backoffMs * 2 ** failures);
      await sleepUntil(null, { ms, signal: stopping });
    }
  }

  async #connect(stopping: AbortSignal): Promise<void> {
    const { address, credentialsFile, name, answerMs } = this.#settings;
    const authenticator =
      credentialsFile === null ? undefined : credsAuthenticator(await readFile(credentialsFile));
    const options = {
      servers: [...address.servers],
      ...address.credentials,
      ...(authenticator === undefined ? {} : { authenticator }),
      ...(address.tls ? { tls: {} } : {}),
      name,
      timeout: answerMs,
      reconnect: false,
      pingInterval: pingIntervalMs,
      maxPingOut: 2,
      noAsyncTraces: true,
    };
    this.#connection = await connectOrClose(options, stopping);
    this.#stream = await RelayStream.open(this.#connection, this.#settings, { answerMs, log: this.#log });
    const { stream, subjectPrefix } = this.#settings;
    this.#log.info({ server: this.#connection.getServer(), stream, subjectPrefix }, 'connected to NATS');
    this.#firstAttempt.resolve(undefined);
  }

  /** Resolves when the connection is gone: true; or when the signal aborts: false. */
  async #lost(stopping: AbortSignal): Promise<boolean> {
    await sleepUntil(this.#connection?.closed() ?? null, { signal: stopping });
    return !stopping.aborted;
  }

  #fail(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const unfit = error instanceof UnfitStreamError;
    const isNews = this.#trouble.reason !== reason || this.#stream !== undefined;
    this.#trouble = { kind: unfit ? 'stream unfit' : 'not connected', reason };
    if (!isNews) return;
    if (unfit) this.#log.error({ err: error }, 'operations are not relayed: the stream is not fit for them');
    else this.#log.warn({ err: error }, 'there is no connection to NATS: operations wait to be relayed');
  }
}

export interface BrokerTrouble {
  readonly kind: 'not connected' | 'stream unfit';
  readonly reason: string;
}
