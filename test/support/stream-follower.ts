import { request, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { adminApiKey } from './served-replicas.ts';
import type { Receipt } from './resources.ts';
import { until } from './until.ts';

/** An event as it was sent. */
export interface StreamEvent {
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** How a stream came to its end: as HTTP has it, or not. */
export type StreamEnd = 'ended' | 'cut';

interface FollowOptions {
  readonly token?: string;
  readonly after?: string | undefined;
  readonly lastEventId?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Follows the feed of one replica, as a client does that reads server-sent events to the letter. */
export class StreamFollower {
  readonly events: StreamEvent[] = [];
  readonly comments: string[] = [];
  readonly retries: number[] = [];
  /** Resolves when nothing comes any more. */
  readonly over: Promise<StreamEnd>;
  readonly headers: IncomingHttpHeaders;
  #ended: StreamEnd | undefined;
  #pending = '';
  readonly #request: ClientRequest;
  readonly #response: IncomingMessage;

  /** Resolves when the stream is open; throws with the answer where it is refused. */
  static async open(url: string, options: FollowOptions = {}): Promise<StreamFollower> {
    const { token = adminApiKey, after, lastEventId, headers } = options;
    const query = after === undefined ? '' : `?after=${encodeURIComponent(after)}`;
    const sent = {
      authorization: `Bearer ${token}`,
      ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
      ...headers,
    };
    return await new Promise((resolve, reject) => {
      const exchange = request(`${url}/v1/operations/stream${query}`, { headers: sent, agent: false });
      exchange.on('error', reject);
      exchange.on('response', (response) => {
        if (response.statusCode === 200) resolve(new StreamFollower(exchange, response));
        else {
          exchange.destroy();
          reject(new Error(`the stream was refused: ${String(response.statusCode)}`));
        }
      });
      exchange.end();
    });
  }

  private constructor(exchange: ClientRequest, response: IncomingMessage) {
    this.#request = exchange;
    this.#response = response;
    this.headers = response.headers;
    response.setEncoding('utf8');
    response.on('data', (text: string) => {
      this.#take(text);
    });
    this.over = new Promise((resolve) => {
      const end = (): void => {
        this.#ended ??= response.complete ? 'ended' : 'cut';
        resolve(this.#ended);
      };
      response.on('end', end);
      response.on('error', end);
      response.on('close', end);
      exchange.on('error', end);
    });
  }

  get receipts(): Receipt[] {
    return this.events.map(({ data }) => JSON.parse(data) as Receipt);
  }

  get ids(): string[] {
    return this.receipts.map(({ id }) => id);
  }

  /** What a client goes on from. */
  get lastEventId(): string | undefined {
    return this.events.at(-1)?.id;
  }

  /** Null: it goes on. */
  get end(): StreamEnd | null {
    return this.#ended ?? null;
  }

  /** What came of an event that was not whole when the stream ended. */
  get rest(): string {
    return this.#pending;
  }

  /** Resolves when it has seen so many events. */
  async seen(count: number): Promise<void> {
    await until(`${count} events came`, () => this.events.length >= count, 30_000);
  }

  /** Takes nothing from now on. */
  pause(): void {
    this.#response.pause();
  }

  resume(): void {
    this.#response.resume();
  }

  close(): void {
    this.#request.destroy();
  }

  #take(text: string): void {
    this.#pending += text;
    for (;;) {
      const end = this.#pending.indexOf('\n\n');
      if (end === -1) return;
      const block = this.#pending.slice(0, end);
      this.#pending = this.#pending.slice(end + 2);
      this.#takeBlock(block.split('\n'));
    }
  }

  #takeBlock(lines: readonly string[]): void {
    const fields = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(':');
      if (colon === -1) throw new Error(`a line without a field: ${line}`);
      const value = line.slice(colon + 1).replace(/^ /, '');
      if (colon === 0) this.comments.push(value);
      else if (line.startsWith('retry:')) this.retries.push(Number(value));
      else fields.set(line.slice(0, colon), value);
    }
    if (fields.size === 0) return;
    const { id, event, data, ...others } = Object.fromEntries(fields);
    if (id === undefined || event === undefined || data === undefined || Object.keys(others).length > 0)
      throw new Error(`an event with other fields: ${lines.join('\\n')}`);
    this.events.push({ id, event, data });
  }
}
