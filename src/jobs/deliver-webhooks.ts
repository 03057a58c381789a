import { deliveryJobName } from '../repository/webhook-queue.ts';
import type { Job } from './job.ts';

interface Parts {
  readonly deliverer: {
    run(webhook: string, signal: AbortSignal): Promise<void>;
  };
}

/**
 * Sends an endpoint what is due. It runs in a queue of the endpoint's own, so an endpoint in trouble takes one place of
 * those for jobs at most, and gives it up after some seconds.
 */
export function deliverWebhooks({ deliverer }: Parts): Job {
  return {
    name: deliveryJobName,
    attemptsMax: 10,
    run: async ({ webhook }, { signal }) => {
      if (typeof webhook !== 'string') throw new Error('its payload names no webhook');
      await deliverer.run(webhook, signal);
    },
  };
}
