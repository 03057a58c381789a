import type { FeedOperation, Turn } from '../../repository/consumers.ts';
import { deliveryJob, type NewDelivery } from '../../repository/webhook-queue.ts';
import type { Webhooks, WebhookSubscription } from '../../repository/webhooks.ts';
import type { Consumer } from '../consumer.ts';

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

  async isWanted(): Promise<boolean> {
    return (await this.#webhooks.enabled()).length > 0;
  }

  async handle(operations: readonly FeedOperation[], turn: Turn): Promise<void> {
    const webhooks = await this.#webhooks.enabled();
    const wanted = webhooks
      .map((webhook) => ({ webhook, deliveries: deliveriesTo(webhook, operations) }))
      .filter(({ deliveries }) => deliveries.length > 0);
    turn.deliver(wanted.flatMap(({ deliveries }) => deliveries));
    turn.enqueue(wanted.map(({ webhook: { id, restingUntilMs } }) => deliveryJob(id, restingUntilMs)));
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
