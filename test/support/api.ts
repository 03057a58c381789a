import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { HttpClient, type HttpAnswer } from './http-client.ts';
import { problemFaults } from './problem.ts';
import { PublishedApi, type OpenApi } from './published-api.ts';

/** An answer, decoded. */
export interface Answer {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly headers: HttpAnswer['headers'];
  readonly text: string;
  /** Undefined when there is none. */
  readonly body: unknown;
}

export interface Call {
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is, instead of `json`. */
  readonly raw?: string | Buffer;
  /** An undefined one leaves out what would otherwise be sent. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly key?: string;
}

/** A line of assets in a body. */
export interface Line {
  readonly asset: string;
  readonly quantity: number;
}

/** Turns `{gold: 10}` into the lines that bodies have. */
export function lines(quantities: Readonly<Record<string, number>>): Line[] {
  return Object.entries(quantities).map(([asset, quantity]) => ({ asset, quantity }));
}

/**
 * A caller of one replica. Every answer is held against the contract's conventions and against the published
 * `/openapi.json`; one that does not fit throws, whatever the test was about.
 */
export class Api {
  readonly url: string;
  readonly token: string;
  readonly published: PublishedApi;
  readonly #client: HttpClient;

  constructor({ url, token, published }: { url: string; token: string; published: PublishedApi }) {
    this.url = url;
    this.token = token;
    this.published = published;
    this.#client = new HttpClient(url);
  }

  /** Reads what the replica publishes. */
  static async of(url: string, token: string): Promise<Api> {
    const response = await fetch(`${url}/openapi.json`);
    const published = new PublishedApi((await response.json()) as OpenApi);
    return new Api({ url, token, published });
  }

  async call(method: string, path: string, { json, raw, headers, key }: Call = {}): Promise<Answer> {
    const body = raw ?? (json === undefined ? undefined : JSON.stringify(json));
    const sent = {
      authorization: `Bearer ${this.token}`,
      'content-type': body === undefined ? undefined : 'application/json',
      'idempotency-key': key,
      ...headers,
    };
    const answer = await this.#client.send({
      method,
      path,
      headers: sent,
      ...(body === undefined ? {} : { body }),
    });
    const decoded = decode(method, path, answer);
    const faults = answerFaults(decoded, this.published);
    if (faults.length > 0)
      throw new Error(
        `${method} ${path} answered ${answer.status} ${decoded.text.slice(0, 1000)}\nagainst the contract:\n  ${faults.join('\n  ')}`,
      );
    return decoded;
  }

  get(path: string, headers?: Call['headers']): Promise<Answer> {
    return this.call('GET', path, headers === undefined ? {} : { headers });
  }

  put(path: string, json: unknown): Promise<Answer> {
    return this.call('PUT', path, { json });
  }

  post(path: string, json: unknown, rest?: Omit<Call, 'json'>): Promise<Answer> {
    return this.call('POST', path, { json, ...rest });
  }

  grant(account: string, quantities: Readonly<Record<string, number>>, rest?: Call): Promise<Answer> {
    return this.post('/v1/grants', { account, assets: lines(quantities) }, rest);
  }

  consume(account: string, quantities: Readonly<Record<string, number>>, rest?: Call): Promise<Answer> {
    return this.post('/v1/consumptions', { account, assets: lines(quantities) }, rest);
  }

  transfer(
    from: string,
    to: string,
    quantities: Readonly<Record<string, number>>,
    rest?: Call,
  ): Promise<Answer> {
    return this.post('/v1/transfers', { from, to, assets: lines(quantities) }, rest);
  }

  purchase(account: string, listing: string, quantity = 1, rest?: Call): Promise<Answer> {
    return this.post('/v1/purchases', { account, listing, quantity }, rest);
  }

  sell(account: string, asset: string, quantity: number, rest?: Call): Promise<Answer> {
    return this.post('/v1/sales', { account, asset, quantity }, rest);
  }

  inventory(account: string, query = '', headers?: Call['headers']): Promise<Answer> {
    return this.get(`/v1/accounts/${account}/inventory${query}`, headers);
  }

  close(): void {
    this.#client.close();
  }
}

function decode(method: string, path: string, { status, headers, bytes }: HttpAnswer): Answer {
  const encoding = headers['content-encoding'];
  const plain =
    encoding === 'br' ? brotliDecompressSync(bytes) : encoding === 'gzip' ? gunzipSync(bytes) : bytes;
  const text = new TextDecoder('utf-8', { fatal: true }).decode(plain);
  const json = /^application\/(problem\+)?json\b/.test(headers['content-type'] ?? '') && text !== '';
  return { method, path, status, headers, text, body: json ? (JSON.parse(text) as unknown) : undefined };
}

/** Where nothing is published: pages for people, and the document itself. */
const unpublished = /^\/(docs|openapi\.json)/;

function answerFaults(answer: Answer, published: PublishedApi): string[] {
  const { path, status, headers, body, text } = answer;
  const faults: string[] = [];
  if (!/^[\x21-\x7e]{1,}$/.test(String(headers['x-request-id'] ?? ''))) faults.push('it has no X-Request-Id');
  if (status >= 400 && !(['/readyz', '/health'].includes(path) && status === 503))
    faults.push(...problemFaults(answer));
  if (unpublished.test(path) && status < 400) return faults;
  const mediaType = text === '' ? null : (headers['content-type']?.split(';')[0]?.trim() ?? null);
  if (status < 400 && mediaType !== null && mediaType !== 'application/json')
    faults.push(`it is ${mediaType}`);
  faults.push(...published.faults({ ...answer, mediaType, body }));
  return faults;
}
