import { Connection, type Target } from './connection.ts';
import type { LoadAnswer, LoadRequest } from './generator.ts';
import { UnexpectedResponseError, type HttpResponse } from './response-parser.ts';

export interface ClientEvents<Request> {
  readonly next: (connection: number) => Request | undefined;
  /** When it is to be sent; undefined: at once. */
  readonly due: () => number | undefined;
  readonly onAnswer: (answer: LoadAnswer<Request>) => void;
  readonly onUnanswered: (request: Request, reason: Error, attempts: number) => void;
  /** There is no next request, and none in flight. */
  readonly onFinished: () => void;
  /** An answer can't be read, or whoever got it threw: nothing that follows would be worth anything. */
  readonly onBroken: (reason: unknown) => void;
}

/** A request on its way, and how often it was sent. */
interface InFlight<Request> {
  readonly request: Request;
  readonly sinceMs: number;
  attempts: number;
  attemptSinceMs: number;
}

/**
 * One caller: sends a request, waits for its answer, and sends the next, over a connection that it keeps. When the
 * connection is lost, or the server asks to be tried again, it goes on to the next target with the same request.
 * Written with callbacks: a promise for each answer would cost as much as reading it.
 */
export class Client<Request extends LoadRequest> {
  readonly #index: number;
  readonly #targets: readonly Target[];
  readonly #heads: readonly string[];
  readonly #events: ClientEvents<Request>;
  readonly #limits: { readonly attemptsMax: number; readonly pauseMs: number; readonly timeoutMs: number };
  #target: number;
  #connection: Connection | undefined;
  #inFlight: InFlight<Request> | undefined;
  #pause: NodeJS.Timeout | undefined;

  constructor(client: {
    index: number;
    targets: readonly Target[];
    /** What the requests to each target begin with. */
    heads: readonly string[];
    events: ClientEvents<Request>;
    limits: { readonly attemptsMax: number; readonly pauseMs: number; readonly timeoutMs: number };
  }) {
    this.#index = client.index;
    this.#targets = client.targets;
    this.#heads = client.heads;
    this.#events = client.events;
    this.#limits = client.limits;
    this.#target = client.index % client.targets.length;
  }

  start(): void {
    const request = this.#events.next(this.#index);
    if (request === undefined) {
      this.#events.onFinished();
      return;
    }
    const nowMs = performance.now();
    const dueMs = this.#events.due() ?? nowMs;
    if (dueMs > nowMs) {
      this.#pause = setTimeout(() => {
        this.#begin(request, performance.now());
      }, dueMs - nowMs);
    } else this.#begin(request, dueMs);
  }

  /** Leaves what is in flight unanswered, and says nothing more. */
  stop(): void {
    clearTimeout(this.#pause);
    this.#inFlight = undefined;
    this.#connection?.destroy();
  }

  /** To be called now and then: a timer for each request would cost more than the request. */
  checkTimeout(): void {
    const { timeoutMs } = this.#limits;
    if (this.#inFlight === undefined || this.#connection === undefined) return;
    if (performance.now() - this.#inFlight.attemptSinceMs > timeoutMs)
      this.#lost(new Error(`no answer within ${timeoutMs} ms`));
  }

  #begin(request: Request, sinceMs: number): void {
    this.#inFlight = { request, sinceMs, attempts: 0, attemptSinceMs: sinceMs };
    this.#send(this.#inFlight);
  }

  #send(inFlight: InFlight<Request>): void {
    inFlight.attempts += 1;
    inFlight.attemptSinceMs = performance.now();
    this.#connection ??= this.#connect();
    const { key, body } = inFlight.request;
    this.#connection.send(
      `${this.#heads[this.#target] ?? ''}idempotency-key: ${key}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
  }

  #connect(): Connection {
    const target = this.#targets[this.#target];
    if (target === undefined) throw new Error('there is no target to send to');
    return new Connection(target, {
      onResponse: (response) => {
        this.#answered(response);
      },
      onLost: (reason) => {
        this.#lost(reason);
      },
      onBroken: this.#events.onBroken,
    });
  }

  #answered(response: HttpResponse): void {
    const inFlight = this.#inFlight;
    if (inFlight === undefined) throw new UnexpectedResponseError('an answer that nobody asked for');
    const { status, body } = response;
    if (response.closes) this.#disconnect();
    if (status === 503 && invitesRetry(body) && inFlight.attempts < this.#limits.attemptsMax) {
      this.#again(inFlight);
      return;
    }
    const { request, attempts, sinceMs } = inFlight;
    this.#inFlight = undefined;
    this.#events.onAnswer({ request, status, body, attempts, latencyMs: performance.now() - sinceMs });
    this.start();
  }

  #lost(reason: Error): void {
    this.#disconnect();
    const inFlight = this.#inFlight;
    if (inFlight === undefined) return;
    if (inFlight.attempts < this.#limits.attemptsMax) {
      this.#again(inFlight);
      return;
    }
    this.#inFlight = undefined;
    this.#events.onUnanswered(inFlight.request, reason, inFlight.attempts);
    this.start();
  }

  #again(inFlight: InFlight<Request>): void {
    this.#disconnect();
    this.#target = (this.#target + 1) % this.#targets.length;
    // So that a pause does not count as time without an answer.
    inFlight.attemptSinceMs = Infinity;
    this.#pause = setTimeout(() => {
      this.#send(inFlight);
    }, this.#limits.pauseMs);
  }

  #disconnect(): void {
    this.#connection?.destroy();
    this.#connection = undefined;
  }
}

/** The contract says of each error whether the same request may succeed later. */
function invitesRetry(body: Buffer): boolean {
  try {
    const problem: unknown = JSON.parse(body.toString());
    return (
      typeof problem === 'object' && problem !== null && 'retryable' in problem && problem.retryable === true
    );
  } catch {
    return false;
  }
}
