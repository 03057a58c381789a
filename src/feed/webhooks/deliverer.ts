import type { KeyObject } from 'node:crypto';
import type {
  DeliveryOutcome,
  DueDeliveries,
  DueDelivery,
  WebhookQueue,
} from '../../repository/webhook-queue.ts';
import { timestamp } from '../../domain/time.ts';
import type { Pacer } from '../pacer.ts';
import { restMs, retryInMs, type RetryPlan } from './retry-plan.ts';
import type { Attempt, Sender } from './sender.ts';
import { keyOf, signatureOf } from './signature.ts';

export interface DelivererSettings {
  /** Deliveries under way to one endpoint at once. */
  readonly concurrency: number;
  readonly retries: RetryPlan;
  /** An endpoint that nothing could be delivered to for so long is disabled. */
  readonly disableAfterMs: number;
}

/** What tells of endpoints that are in trouble. It never gets a secret. */
export interface DelivererLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/**
 * Deliveries that are read, sent and recorded together, or more, where more may be under way: a replica that is killed
 * sends so many again at most, and callers have the processor to themselves between two batches.
 */
const batchMin = 16;
/** Then the job gives its place to the next one, and goes on later. */
const runMsMax = 5000;
/** Rows that are changed at once when an endpoint is gone or disabled. */
const portion = 5000;

/** Sends an endpoint what is due, at least once and in no promised order. */
export class Deliverer {
  readonly #queue: WebhookQueue;
  readonly #sender: Sender;
  readonly #pacer: Pacer;
  readonly #settings: DelivererSettings;
  readonly #log: DelivererLog;

  constructor(deps: {
    queue: WebhookQueue;
    sender: Sender;
    pacer: Pacer;
    settings: DelivererSettings;
    log: DelivererLog;
  }) {
    this.#queue = deps.queue;
    this.#sender = deps.sender;
    this.#pacer = deps.pacer;
    this.#settings = deps.settings;
    this.#log = deps.log;
  }

  /**
   * Sends until nothing is due, the endpoint needs a rest, the run has lasted long enough or the signal aborts; and asks
   * for the job that goes on. When it throws, what was not recorded is sent again by the next run.
   */
  async run(webhook: string, signal: AbortSignal): Promise<void> {
    const beganMs = performance.now();
    for (let lateMs = 0; !signal.aborted && lateMs < runMsMax; lateMs = performance.now() - beganMs) {
      const piece = await this.#pacer.begin({ lateMs, signal });
      try {
        if ((await this.#batch(webhook, signal)) === 'no more') break;
      } finally {
        piece.end();
      }
    }
    await this.#queue.scheduleNext(webhook);
  }

  async #batch(webhook: string, signal: AbortSignal): Promise<'more' | 'no more'> {
    if (signal.aborted) return 'no more';
    const due = await this.#queue.due(webhook, Math.max(batchMin, this.#settings.concurrency));
    if (due === undefined) await this.#forget(webhook, signal);
    else if (due.disabledBecause !== null) await this.#bury(webhook, due.disabledBecause, signal);
    if (due === undefined || due.disabledBecause !== null || due.deliveries.length === 0) return 'no more';
    await this.#sendBatch(webhook, due, signal);
    return 'more';
  }

  async #sendBatch(webhook: string, due: DueDeliveries, signal: AbortSignal): Promise<void> {
    const attempts = await this.#attempt(due, signal);
    if (attempts.length === 0) return;
    const outcomes = attempts.map(({ delivery, attempt }) => this.#outcomeOf(delivery, attempt));
    const well = outcomes.some(({ status }) => status === 'delivered');
    const away = attempts
      .filter(({ attempt }) => isAway(attempt))
      .map(({ attempt }) => retryAfterOf(attempt));
    const asked = away.filter((ms) => ms !== null);
    const rest =
      away.length > 0 && (!well || asked.length > 0)
        ? restMs(due.failingForMs, asked.length > 0 ? Math.max(...asked) : null)
        : 0;
    await this.#queue.record(webhook, outcomes, { well, restMs: rest });
    const dead = outcomes.filter(({ status }) => status === 'dead');
    if (dead.length > 0)
      this.#log.warn(
        { webhook, deliveries: dead.length, error: dead[0]?.error },
        'webhook deliveries were given up',
      );
    if (attempts.some(({ attempt }) => attempt.kind === 'answered' && attempt.status === gone))
      await this.#disable(webhook, 'it answered 410 Gone');
    else if (!well && (due.failingForMs ?? 0) > this.#settings.disableAfterMs)
      await this.#disable(webhook, `nothing could be delivered to it for ${hours(due.failingForMs)}`);
  }

  /** Some at a time. Once the endpoint turns out not to be there, what has not begun is left for later. */
  async #attempt(due: DueDeliveries, signal: AbortSignal): Promise<readonly Attempted[]> {
    const keys = due.secrets.map(keyOf);
    const attempted: Attempted[] = [];
    const waiting = due.deliveries.values();
    let away = false;
    const work = async (): Promise<void> => {
      for (const delivery of waiting) {
        const attempt = await this.#sender.post(due.url, messageOf(delivery, keys), signal);
        if (attempt.kind === 'aborted') return;
        attempted.push({ delivery, attempt });
        away ||= isAway(attempt);
        if (away) return;
      }
    };
    await Promise.all(Array.from({ length: this.#settings.concurrency }, work));
    return attempted;
  }

  #outcomeOf({ position, attempts }: DueDelivery, attempt: Answered): DeliveryOutcome {
    const { durationMs } = attempt;
    const failed = attempt.kind === 'failed';
    const responseStatus = failed ? null : attempt.status;
    if (isDelivered(attempt))
      return {
        position,
        status: 'delivered',
        retryInMs: null,
        durationMs,
        responseStatus,
        responseBody: null,
        error: null,
      };
    const retry =
      responseStatus === gone ? null : retryInMs(this.#settings.retries, attempts + 1, retryAfterOf(attempt));
    return {
      position,
      status: retry === null ? 'dead' : 'pending',
      retryInMs: retry,
      durationMs,
      responseStatus,
      responseBody: failed || attempt.text === '' ? null : attempt.text,
      error: failed ? attempt.error : `it answered ${attempt.status}`,
    };
  }

  async #disable(webhook: string, because: string): Promise<void> {
    await this.#queue.disable(webhook, because);
    this.#log.warn({ webhook, because }, 'a webhook was disabled');
  }

  async #bury(webhook: string, because: string, signal: AbortSignal): Promise<void> {
    const error = `the webhook is disabled: ${because}`;
    while ((await this.#queue.bury(webhook, error, portion)) === portion) signal.throwIfAborted();
  }

  async #forget(webhook: string, signal: AbortSignal): Promise<void> {
    while ((await this.#queue.forget(webhook, portion)) === portion) signal.throwIfAborted();
  }
}

type Answered = Exclude<Attempt, { kind: 'aborted' }>;

interface Attempted {
  readonly delivery: DueDelivery;
  readonly attempt: Answered;
}

/** The endpoint wants nothing any more (Standard Webhooks). */
const gone = 410;
/** Too many requests; not there for now. */
const awayStatuses: readonly number[] = [429, 502, 503, 504];

function isDelivered(attempt: Answered): boolean {
  return attempt.kind === 'answered' && attempt.status >= 200 && attempt.status < 300;
}

/** Whether it is the endpoint that is in trouble, and not this one delivery. */
function isAway(attempt: Answered): boolean {
  return attempt.kind === 'failed' || awayStatuses.includes(attempt.status);
}

function retryAfterOf(attempt: Answered): number | null {
  return attempt.kind === 'answered' ? attempt.retryAfterMs : null;
}

function messageOf(
  { operation: id, type, atMs, receipt }: DueDelivery,
  keys: readonly KeyObject[],
): { headers: Readonly<Record<string, string>>; body: string } {
  const timestampS = Math.floor(Date.now() / 1000);
  const body = `{"type":${JSON.stringify(type)},"timestamp":"${timestamp(atMs)}","data":${receipt}}`;
  return {
    body,
    headers: {
      'content-type': 'application/json',
      'user-agent': 'holdfast-webhooks',
      'webhook-id': id,
      'webhook-timestamp': String(timestampS),
      'webhook-signature': signatureOf({ id, timestampS, body }, keys),
    },
  };
}

function hours(ms: number | null): string {
  return `${Math.floor((ms ?? 0) / 3_600_000)} hours`;
}
