/** What was sent to endpoints, or is to be, and what became of it. */
export interface WebhookDeliveries {
  /** An endpoint's, newest first, beginning after the position `before`; `dead`: those that were given up alone. */
  list(webhook: string, query: DeliveriesQuery): Promise<readonly Delivery[]>;
  /**
   * Has it sent once more, and at once: whatever became of it, and without a new start for its attempts. Undefined: the
   * endpoint has no such delivery. Nothing happens to one that is being sent at this moment.
   */
  retry(webhook: string, operation: string): Promise<Delivery | undefined>;
}

export interface Delivery {
  readonly position: number;
  /** It is known by: to the endpoint it is the `webhook-id`. */
  readonly operation: string;
  readonly status: DeliveryStatus;
  readonly attempts: number;
  readonly createdAtMs: number;
  /** Null unless it is pending. */
  readonly nextAttemptAtMs: number | null;
  readonly lastAttempt: LastAttempt | null;
  /** Null while it is pending. */
  readonly finishedAtMs: number | null;
}

export type DeliveryStatus = (typeof deliveryStatuses)[number];

export const deliveryStatuses = ['pending', 'delivered', 'dead'] as const;

export interface LastAttempt {
  readonly atMs: number;
  readonly durationMs: number;
  readonly responseStatus: number | null;
  /** The beginning of what a failed one was answered. */
  readonly responseBody: string | null;
  readonly error: string | null;
}

export interface DeliveriesQuery {
  readonly before: number | null;
  readonly limit: number;
  readonly dead: boolean;
}
