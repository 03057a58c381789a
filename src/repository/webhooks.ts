/** The endpoints that operations are delivered to. They are kept beside the ledger: nothing is decided by them. */
export interface Webhooks {
  /**
   * Kept, durably, when this resolves: every operation that begins after that is delivered to it. Null, and nothing is
   * kept, where there are already `webhooksMax`. Waits for others who create one.
   */
  create(webhook: NewWebhook, webhooksMax: number): Promise<Webhook | null>;
  /** Undefined: there is none with this id. */
  find(id: string): Promise<Webhook | undefined>;
  /** Newest first, beginning after the endpoint `after`. */
  list(page: { readonly after: string | null; readonly limit: number }): Promise<readonly Webhook[]>;
  /** Those that get deliveries: as many as there may be endpoints, at most. */
  enabled(): Promise<readonly WebhookSubscription[]>;
  /**
   * Nothing is sent to it any more once this has resolved, but for what is on its way; its deliveries are deleted later,
   * by the job that this asks for. Undefined: there was none.
   */
  remove(id: string): Promise<Webhook | undefined>;
  /** The secret signs from now on; the one before it signs beside it for `overlapMs`. Undefined: there is no such endpoint. */
  rotateSecret(id: string, secret: string, overlapMs: number): Promise<Webhook | undefined>;
}

/** An endpoint, but for its secrets. */
export interface Webhook {
  /** A UUIDv7: endpoints in the order of ids are in the order in which they were made. */
  readonly id: string;
  readonly url: string;
  /** The types of operations that it gets; null: all. */
  readonly types: readonly string[] | null;
  readonly createdAtMs: number;
  /** Until when the secret before the last rotation signs as well; null: it does not. */
  readonly retiredSecretUntilMs: number | null;
  /** Nothing has been delivered since then, though it was tried; null: the last attempts went well. */
  readonly failingSinceMs: number | null;
  readonly restingUntilMs: number | null;
  readonly disabled: { readonly atMs: number; readonly because: string } | null;
}

export interface NewWebhook {
  readonly id: string;
  readonly url: string;
  readonly types: readonly string[] | null;
  readonly secret: string;
}

/** Which operations an endpoint gets. */
export interface WebhookSubscription {
  readonly id: string;
  readonly types: readonly string[] | null;
  /** Operations at or below this position are not its. */
  readonly since: number;
  /** It is left alone until then; null: it is not. By the database's clock. */
  readonly restingUntilMs: number | null;
}
