import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { LookupFunction } from 'node:net';
import { endpointFault, hostOf } from './endpoint-url.ts';
import { publicLookup, type Resolve } from './public-addresses.ts';
import { parseRetryAfterMs } from './retry-plan.ts';

export interface SenderSettings {
  /** For a whole attempt: name, connection, request, head of the answer. */
  readonly timeoutMs: number;
  /** Whether endpoints may be on private addresses, and without TLS. */
  readonly allowPrivate: boolean;
  /** Looks names up; default: as the system does. */
  readonly resolve?: Resolve;
}

export interface Message {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What came of one attempt. */
export type Attempt =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly retryAfterMs: number | null;
      /** The beginning of the body. */
      readonly text: string;
      readonly durationMs: number;
    }
  /** There was no answer: for what reason. */
  | { readonly kind: 'failed'; readonly error: string; readonly durationMs: number }
  /** It was broken off from here: what the endpoint made of it is not known. */
  | { readonly kind: 'aborted' };

/** Of an answer's body so much is kept; one that is longer is not read to its end. */
const bodyBytesMax = 1024;
/** An answer whose status is known is not waited for any longer than this. */
const bodyWaitMs = 1000;
/** Connections that nobody uses are closed after so long, and beyond so many of an endpoint at once. */
const idleMs = 4000;
const idleConnectionsMax = 64;

/** Sends messages to endpoints, over connections that are kept and used again. Redirects are not followed. */
export class Sender {
  readonly #settings: SenderSettings;
  readonly #lookup: LookupFunction | undefined;
  readonly #plain: http.Agent;
  readonly #tls: https.Agent;

  constructor(settings: SenderSettings) {
    const { allowPrivate, resolve } = settings;
    this.#settings = settings;
    this.#lookup = allowPrivate ? plainLookup(resolve) : publicLookup(resolve);
    const kept = { keepAlive: true, maxFreeSockets: idleConnectionsMax, timeout: idleMs } as const;
    this.#plain = new http.Agent({ ...kept, scheduling: 'lifo' });
    this.#tls = new https.Agent({ ...kept, scheduling: 'lifo' });
  }

  /** Posts a message once; never rejects. */
  async post(url: string, message: Message, signal: AbortSignal): Promise<Attempt> {
    if (signal.aborted) return { kind: 'aborted' };
    // Checked again: what was registered while private addresses were allowed may not be sent to any more.
    const fault = endpointFault(url, this.#settings);
    if (fault !== null) return { kind: 'failed', error: `the URL ${fault}`, durationMs: 0 };
    const target = new URL(url);
    const attempt = await this.#exchange(target, message, signal);
    // The endpoint closed a kept connection as it was used again: no failure of its, and most likely it has read nothing.
    return attempt === 'stale' ? this.#again(target, message, signal) : attempt;
  }

  /** Closes the connections that are kept. */
  close(): void {
    this.#plain.destroy();
    this.#tls.destroy();
  }

  async #again(target: URL, message: Message, signal: AbortSignal): Promise<Attempt> {
    const attempt = await this.#exchange(target, message, signal);
    return attempt === 'stale'
      ? { kind: 'failed', error: 'the connection was closed before it answered', durationMs: 0 }
      : attempt;
  }

  async #exchange(url: URL, { headers, body }: Message, signal: AbortSignal): Promise<Attempt | 'stale'> {
    const { timeoutMs } = this.#settings;
    const tls = url.protocol === 'https:';
    const startedAtMs = performance.now();
    return await new Promise((resolve) => {
      const request = (tls ? https : http).request({
        agent: tls ? this.#tls : this.#plain,
        method: 'POST',
        hostname: hostOf(url),
        port: url.port,
        path: `${url.pathname}${url.search}`,
        headers: { ...headers, 'content-length': Buffer.byteLength(body) },
        ...(this.#lookup === undefined ? {} : { lookup: this.#lookup }),
      });
      const onAbort = (): void => {
        end({ kind: 'aborted' });
      };
      const timer = setTimeout(() => {
        fail(`it did not answer within ${timeoutMs} ms`);
      }, timeoutMs);
      const end = (attempt: Attempt | 'stale', reusable = false): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        if (!reusable) request.destroy();
        resolve(attempt);
      };
      const durationMs = (): number => Math.round(performance.now() - startedAtMs);
      const fail = (error: string): void => {
        end({ kind: 'failed', error, durationMs: durationMs() });
      };
      signal.addEventListener('abort', onAbort, { once: true });
      request.on('error', (error) => {
        if (request.reusedSocket && errorCode(error) === 'ECONNRESET') end('stale');
        else fail(reasonOf(error));
      });
      request.on('response', (response) => {
        clearTimeout(timer);
        readBeginning(response, (text, reusable) => {
          const { statusCode = 0, headers: answered } = response;
          const retryAfterMs = parseRetryAfterMs(answered['retry-after'], Date.now());
          end(
            { kind: 'answered', status: statusCode, retryAfterMs, text, durationMs: durationMs() },
            reusable,
          );
        });
      });
      request.end(body);
    });
  }
}

/** Reads what it may of a body. Told once: the text, and whether the connection can be used again. */
function readBeginning(response: IncomingMessage, done: (text: string, reusable: boolean) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let over = false;
  const timer = setTimeout(() => {
    finish(false);
  }, bodyWaitMs);
  const finish = (reusable: boolean): void => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    done(bytes === 0 ? '' : textOf(Buffer.concat(chunks).subarray(0, bodyBytesMax)), reusable);
  };
  response.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > bodyBytesMax) finish(false);
  });
  response.on('end', () => {
    finish(response.complete);
  });
  response.on('error', () => {
    finish(false);
  });
  response.on('close', () => {
    finish(false);
  });
}

/** One line of text that a database can keep. */
function textOf(bytes: Buffer): string {
  return bytes
    .toString('utf8')
    .replaceAll(/[\p{Cc}\p{Cs}]+/gu, ' ')
    .trim();
}

/** For the log of deliveries, which operators read: of TLS and names the library's own words, which hold no secrets. */
function reasonOf(error: Error): string {
  const code = errorCode(error);
  const message = error instanceof AggregateError ? error.errors.map(String).join('; ') : error.message;
  const reason = code === undefined || message.includes(code) ? message : `${message} (${code})`;
  return textOf(Buffer.from(reason)).slice(0, reasonLengthMax);
}

const reasonLengthMax = 500;

function plainLookup(resolve: Resolve | undefined): LookupFunction | undefined {
  if (resolve === undefined) return undefined;
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses;
      if (error !== null || options.all === true) callback(error, addresses);
      else callback(null, first?.address ?? '', first?.family);
    });
  };
}

function errorCode(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
