import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import type { Random } from './random.ts';

/** How an endpoint answers what is signed well. */
export interface Temper {
  /** How often it answers 500 to an operation that it sees for the first time. */
  readonly failing?: number;
  /** How long it takes to answer, at most. */
  readonly answerMsMax?: number;
}

/**
 * An endpoint as a user of webhooks has it: a real HTTP server that verifies each request by the published library, at the
 * moment when it comes, and then acknowledges it or, now and then, fails.
 */
export class JudgingEndpoint {
  readonly url: string;
  /** How often each operation was acknowledged. */
  readonly acknowledged = new Map<string, number>();
  /** Requests that it would not have believed. */
  readonly forged: string[] = [];
  /** How many it has answered with 500. */
  failed = 0;
  /** What it knows those by who may tell it something. To be set before the first request. */
  secret = '';
  readonly #server: Server;
  readonly #temper: Required<Temper>;
  readonly #random: Random;
  readonly #seen = new Set<string>();

  static async start(random: Random, temper: Temper = {}): Promise<JudgingEndpoint> {
    const server = createServer((request, response) => {
      endpoint.#receive(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const endpoint = new JudgingEndpoint(server, random, { failing: 0, answerMsMax: 0, ...temper });
    return endpoint;
  }

  private constructor(server: Server, random: Random, temper: Required<Temper>) {
    this.#server = server;
    this.#random = random;
    this.#temper = temper;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/operations`;
  }

  /** Connections that are open to it now. */
  async connections(): Promise<number> {
    return await new Promise((resolve, reject) => {
      this.#server.getConnections((error, count) => {
        if (error === null) resolve(count);
        else reject(error);
      });
    });
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    // Its sender was killed: it will come again.
    request.on('error', () => undefined);
    request.on('end', () => {
      const status = this.#judge(request, Buffer.concat(chunks).toString());
      const answer = (): void => {
        response.writeHead(status).end();
      };
      const ms = this.#random.next() * this.#temper.answerMsMax;
      if (ms >= 1) setTimeout(answer, ms);
      else answer();
    });
  }

  #judge({ headers }: IncomingMessage, body: string): number {
    const id = String(headers['webhook-id']);
    if (!this.#isTrue(id, headers as Record<string, string>, body)) {
      this.forged.push(`${id}: ${body}`);
      return 401;
    }
    const isNew = !this.#seen.has(id);
    this.#seen.add(id);
    if (isNew && this.#random.chance(this.#temper.failing)) {
      this.failed += 1;
      return 500;
    }
    this.acknowledged.set(id, (this.acknowledged.get(id) ?? 0) + 1);
    return 204;
  }

  /** Signed by whom we know, at about this time; and about the operation that it is named after. */
  #isTrue(id: string, headers: Record<string, string>, body: string): boolean {
    try {
      const { type, timestamp, data } = new Webhook(this.secret).verify(body, headers) as Message;
      return data.id === id && data.type === type && data.at === timestamp;
    } catch {
      return false;
    }
  }
}

interface Message {
  readonly type: string;
  readonly timestamp: string;
  readonly data: { readonly id: string; readonly type: string; readonly at: string };
}
