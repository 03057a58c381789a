import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterEach } from 'vitest';

/** A request as an endpoint got it. */
export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Answers a request that was read to its end. */
export type Behaviour = (response: ServerResponse, received: Received, request: IncomingMessage) => void;

const open = new Set<WebhookEndpoint>();

afterEach(async () => {
  await Promise.all([...open].map((endpoint) => endpoint.close()));
});

export const answering =
  (status: number, headers: Readonly<Record<string, string>> = {}, body = ''): Behaviour =>
  (response) => {
    response.writeHead(status, headers).end(body);
  };

/** A real HTTP server that deliveries are sent to; closed after the test. */
export class WebhookEndpoint {
  readonly url: string;
  readonly received: Received[] = [];
  behave: Behaviour;
  /** Connections that were made to it. */
  connections = 0;
  readonly #server: ReturnType<typeof createServer>;

  static async start(
    behave: Behaviour = answering(204),
    tls?: { key: string; cert: string },
  ): Promise<WebhookEndpoint> {
    const listener: RequestListener = (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => endpoint.receive(request, response, Buffer.concat(chunks).toString()));
    };
    const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const endpoint = new WebhookEndpoint(server, behave, tls === undefined ? 'http' : 'https');
    open.add(endpoint);
    return endpoint;
  }

  private constructor(server: ReturnType<typeof createServer>, behave: Behaviour, scheme: string) {
    this.#server = server;
    this.behave = behave;
    this.url = `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
    server.on('connection', () => {
      this.connections += 1;
    });
  }

  /** The operations that it got, each as often as it got it. */
  get ids(): string[] {
    return this.received.map(({ headers }) => headers['webhook-id'] ?? '');
  }

  async close(): Promise<void> {
    open.delete(this);
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  private receive(request: IncomingMessage, response: ServerResponse, body: string): void {
    const received = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers as Record<string, string>,
      body,
    };
    this.received.push(received);
    this.behave(response, received, request);
  }
}

/** What was sent, as the published library verifies it under this secret; throws where it does not. */
export function verified(secret: string, { body, headers }: Received): unknown {
  return new Webhook(secret).verify(body, { ...headers });
}

export function verifies(secret: string, received: Received): boolean {
  try {
    verified(secret, received);
    return true;
  } catch {
    return false;
  }
}
