import { Agent, request, type IncomingHttpHeaders } from 'node:http';

/** An answer as it came: nothing decoded, nothing followed. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
}

export interface HttpRequest {
  readonly method: string;
  /** Sent as it is, byte for byte: `fetch` would tidy it up. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: string | Buffer;
}

const timeoutMs = 60_000;

/** Sends requests to one origin over connections that are kept and used again. */
export class HttpClient {
  readonly #agent: Agent;
  readonly origin: string;

  constructor(origin: string, { connectionsMax = 64 }: { connectionsMax?: number } = {}) {
    this.origin = origin;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connectionsMax });
  }

  /** Rejects when no whole answer came, whatever the reason. */
  async send({ method, path, headers = {}, body }: HttpRequest): Promise<HttpAnswer> {
    const { hostname, port } = new URL(this.origin);
    // Node gives a body its length only with the methods that usually have one.
    const length = body === undefined ? undefined : String(Buffer.byteLength(body));
    const sent = Object.fromEntries(
      Object.entries({ 'content-length': length, ...headers }).filter(([, value]) => value !== undefined),
    );
    return await new Promise((resolve, reject) => {
      const exchange = request(
        { hostname, port, method, path, headers: sent, agent: this.#agent },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            if (!response.complete) reject(new Error('the answer was cut short'));
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              bytes: Buffer.concat(chunks),
            });
          });
        },
      );
      exchange.setTimeout(timeoutMs, () =>
        exchange.destroy(new Error(`${method} ${path} was not answered within ${timeoutMs} ms`)),
      );
      exchange.on('error', reject);
      exchange.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
