import type { FeedOperation } from '../../repository/consumers.ts';
import { deliveryJob, type NewDelivery } from '../../repository/webhook-queue.ts';
import type { Webhooks, WebhookSubscription } from '../../repository/webhooks.ts';
import type { Consumer, Handle } from '../consumer.ts';

/**
 * Writes down, for each endpoint, the operations that it gets, and asks for the job that sends them: all kept with the
 * cursor's move, so each operation is written down once for each endpoint, however often the turn is tried.
 */
export class WebhooksConsumer implements Consumer {
  readonly name = 'webhooks';
  /** An endpoint that is registered before any replica has looked at the feed misses nothing. */
  readonly from = 'beginning';
  readonly #webhooks: Pick<Webhooks, 'enabled'>;

  constructor({ webhooks }: { webhooks: Pick<Webhooks, 'enabled'> }) {
    this.#webhooks = webhooks;
  }

  async prepare(): Promise<Handle | null> {
    const webhooks = await this.#webhooks.enabled();
    if (webhooks.length === 0) return null;
    return (operations, turn) => {
      const wanted = webhooks
        .map((webhook) => ({ webhook, deliveries: deliveriesTo(webhook, operations) }))
        .filter(({ deliveries }) => deliveries.length > 0);
      turn.deliver(wanted.flatMap(({ deliveries }) => deliveries));
      turn.enqueue(wanted.map(({ webhook: { id, restingUntilMs } }) => deliveryJob(id, restingUntilMs)));
      return Promise.resolve();
    };
  }
}

function deliveriesTo(
  { id: webhook, types, since }: WebhookSubscription,
  operations: readonly FeedOperation[],
): readonly NewDelivery[] {
  return operations
    .filter(({ position, type }) => position > since && (types === null || types.includes(type)))
    .map(({ position, id }) => ({ webhook, position, operation: id }));
}
