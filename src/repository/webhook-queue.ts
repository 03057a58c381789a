import type { JobRequest } from './jobs.ts';
import type { DeliveryStatus } from './webhook-deliveries.ts';

/**
 * What is still to be sent to endpoints. The table of deliveries is the queue, and jobs only say when to look into it: an
 * endpoint has two jobs at most, however much it has to get.
 */
export interface WebhookQueue {
  /** What an endpoint needs to be sent to, with what is due: the longest due first. Undefined: there is no such endpoint. */
  due(webhook: string, limit: number): Promise<DueDeliveries | undefined>;
  /** Keeps what became of attempts, and how the endpoint fares; all of it or nothing. */
  record(webhook: string, outcomes: readonly DeliveryOutcome[], health: EndpointHealth): Promise<void>;
  /** Nothing more is delivered to the endpoint. The first reason holds. */
  disable(webhook: string, because: string): Promise<void>;
  /** Gives up so many pending deliveries of an endpoint that is disabled. Answers how many there were. */
  bury(webhook: string, because: string, limit: number): Promise<number>;
  /** Deletes so many deliveries of an endpoint that is gone. Answers how many there were. */
  forget(webhook: string, limit: number): Promise<number>;
  /** Asks for the job to run again when something is due, if anything is pending. */
  scheduleNext(webhook: string): Promise<void>;
  /** Asks for the jobs of all endpoints of which something has been due for so long. Answers which they are. */
  wakeOverdue(overdueMs: number): Promise<readonly string[]>;
  /**
   * Deletes deliveries that were finished longer ago than this, in portions of `limit` rows, each a transaction of its
   * own, and those of endpoints that are gone. Answers how many there were.
   */
  prune(retentionMs: number, limit: number, signal: AbortSignal): Promise<number>;
}

/** An operation that an endpoint is to get. */
export interface NewDelivery {
  readonly webhook: string;
  readonly position: number;
  readonly operation: string;
}

export interface DueDeliveries {
  readonly url: string;
  /** Each signs: the present secret, and for a day after a rotation the one before. */
  readonly secrets: readonly string[];
  /** Why nothing is sent any more; null: it is. */
  readonly disabledBecause: string | null;
  /** It is to be left alone for now: nothing is due. */
  readonly resting: boolean;
  /** How long nothing has been delivered, though it was tried; null: the last attempts went well. */
  readonly failingForMs: number | null;
  readonly deliveries: readonly DueDelivery[];
}

export interface DueDelivery {
  readonly position: number;
  readonly operation: string;
  readonly type: string;
  readonly atMs: number;
  /** JSON, word for word. */
  readonly receipt: string;
  /** How often it was tried before. */
  readonly attempts: number;
}

/** What became of one attempt. */
export interface DeliveryOutcome {
  readonly position: number;
  readonly status: DeliveryStatus;
  /** Until the next attempt; null unless it is pending. */
  readonly retryInMs: number | null;
  readonly durationMs: number;
  readonly responseStatus: number | null;
  readonly responseBody: string | null;
  readonly error: string | null;
}

export interface EndpointHealth {
  /** Whether anything was delivered. */
  readonly well: boolean;
  /** How long to leave the endpoint alone; 0: not at all. */
  readonly restMs: number;
}

/** The job that sends an endpoint what is due. */
export const deliveryJobName = 'deliver-webhooks';
/**
 * It fails only when the database does or its replica is killed, which counts, and what it should have sent is not lost
 * with it: one that has much to send may be hit several times in a row by whoever kills replicas one after another.
 */
const attemptsMax = 25;

/**
 * Has an endpoint sent what is due, at once or when it has rested: in a queue of its own, so one run at a time. It takes
 * the place of the one that waits, but never of the one that is to come `later`.
 */
export function deliveryJob(webhook: string, notBeforeMs: number | null, later = false): JobRequest {
  return {
    name: deliveryJobName,
    payload: { webhook },
    queue: `webhook:${webhook}`,
    key: later ? `webhook:${webhook}:later` : `webhook:${webhook}`,
    attemptsMax,
    ...(notBeforeMs === null ? {} : { runAtMs: notBeforeMs }),
  };
}
