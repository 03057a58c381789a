import { Client, type ClientEvents } from './client.ts';
import type { Target } from './connection.ts';
import { Histogram } from './histogram.ts';

/** A request to be answered. Whoever makes it may hang more on it and finds it again with the answer. */
export interface LoadRequest {
  /** The Idempotency-Key: the same in each attempt. */
  readonly key: string;
  /** JSON, in ASCII. */
  readonly body: string;
}

export interface LoadAnswer<Request> {
  readonly request: Request;
  readonly status: number;
  /** Valid during the call alone. */
  readonly body: Buffer;
  /** From the first attempt's first byte to the last one's answer. */
  readonly latencyMs: number;
  /** 1: it was answered at once. */
  readonly attempts: number;
}

export interface LoadOptions<Request extends LoadRequest> {
  /** Base URLs. Connections are spread over them, and go on to the next when theirs fails. */
  readonly targets: readonly string[];
  readonly connections: number;
  /** What every request is sent to, by POST, and with. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The next request of a connection; undefined ends it. */
  readonly next: (connection: number) => Request | undefined;
  /**
   * So many requests are begun a second, evenly, on whichever connection is free; without it, as many as there can be. A
   * request for which none was free in time counts from when it should have been sent.
   */
  readonly perSecond?: number;
  readonly onAnswer?: (answer: LoadAnswer<Request>) => void;
  /** It has been given up: nobody knows what became of it. */
  readonly onUnanswered?: (request: Request, reason: Error) => void;
  /** How often one request is sent at most, and how long to wait before it is sent again. */
  readonly attemptsMax?: number;
  readonly pauseMs?: number;
  /** An attempt without an answer by then counts as a lost connection. */
  readonly timeoutMs?: number;
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Ends it at once: what is in flight stays unanswered, and `runLoad` throws the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface LoadProgress {
  readonly elapsedMs: number;
  readonly answered: number;
}

export interface LoadReport {
  readonly answered: number;
  readonly unanswered: number;
  /** Attempts after the first. */
  readonly retries: number;
  readonly answeredByStatus: ReadonlyMap<number, number>;
  readonly latencies: Histogram;
  /** From the first request to the last answer. */
  readonly elapsedMs: number;
}

const progressEveryMs = 100;

/**
 * Sends requests over so many connections, one in flight on each, until every connection has run out of them, and
 * reports how they were answered. A request whose connection is lost, or that is answered by a 503 that invites to
 * try again, is sent again under the same key to the next target.
 *
 * Throws when a server answers anything that this client does not read, since the figures would be wrong.
 */
export async function runLoad<Request extends LoadRequest>(
  options: LoadOptions<Request>,
): Promise<LoadReport> {
  const { connections, next, onAnswer, onUnanswered, onProgress, signal } = options;
  const targets = options.targets.map(targetOf);
  const heads = targets.map((target) => headOf(target, options));
  const latencies = new Histogram();
  const answeredByStatus = new Map<number, number>();
  let unanswered = 0;
  let retries = 0;
  const clients: Client<Request>[] = [];
  const startedMs = performance.now();
  let lastAnswerMs = startedMs;

  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  let running = connections;
  const events: ClientEvents<Request> = {
    next,
    due: scheduleOf(startedMs, options.perSecond),
    onAnswer: (answer) => {
      latencies.record(answer.latencyMs);
      answeredByStatus.set(answer.status, (answeredByStatus.get(answer.status) ?? 0) + 1);
      retries += answer.attempts - 1;
      lastAnswerMs = performance.now();
      onAnswer?.(answer);
    },
    onUnanswered: (request, reason, attempts) => {
      unanswered += 1;
      retries += attempts - 1;
      onUnanswered?.(request, reason);
    },
    onFinished: () => {
      running -= 1;
      if (running === 0) resolve(undefined);
    },
    onBroken: reject,
  };
  const abort = (): void => {
    reject(signal?.reason);
  };
  signal?.addEventListener('abort', abort);
  const timer = setInterval(() => {
    for (const client of clients) client.checkTimeout();
    onProgress?.({ elapsedMs: performance.now() - startedMs, answered: latencies.count });
  }, progressEveryMs);
  try {
    signal?.throwIfAborted();
    for (let index = 0; index < connections; index += 1)
      clients.push(new Client({ index, targets, heads, events, limits: limitsOf(options) }));
    for (const client of clients) client.start();
    await promise;
  } finally {
    clearInterval(timer);
    signal?.removeEventListener('abort', abort);
    for (const client of clients) client.stop();
  }
  const elapsedMs = lastAnswerMs - startedMs;
  return { answered: latencies.count, unanswered, retries, answeredByStatus, latencies, elapsedMs };
}

/** When the next request is to be sent; undefined: at once. */
function scheduleOf(startedMs: number, perSecond: number | undefined): () => number | undefined {
  let sent = 0;
  return () => {
    if (perSecond === undefined) return undefined;
    sent += 1;
    return startedMs + (sent * 1000) / perSecond;
  };
}

function limitsOf<Request extends LoadRequest>(
  options: LoadOptions<Request>,
): { attemptsMax: number; pauseMs: number; timeoutMs: number } {
  const { attemptsMax = 1, pauseMs = 20, timeoutMs = 30_000 } = options;
  return { attemptsMax, pauseMs, timeoutMs };
}

function targetOf(url: string): Target {
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port === '' ? 80 : port) };
}

/** All of a request that is the same each time: made once, so that sending one costs little more than its bytes. */
function headOf<Request extends LoadRequest>(
  { host, port }: Target,
  { path, headers }: LoadOptions<Request>,
): string {
  const lines = Object.entries({
    host: `${host.includes(':') ? `[${host}]` : host}:${port}`,
    'content-type': 'application/json',
    ...headers,
  });
  return `POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}`;
}
