import type { WebhookQueue } from '../repository/webhook-queue.ts';
import type { JobLog } from './job-log.ts';
import type { Job } from './job.ts';

const batchRows = 1000;

interface Parts {
  readonly queue: Pick<WebhookQueue, 'prune'>;
  readonly keptMs: number;
  readonly log: JobLog;
}

/** Deletes deliveries that were finished long ago, and what is left of endpoints that were deleted. */
export function pruneWebhookDeliveries({ queue, keptMs, log }: Parts): Job {
  return {
    name: 'prune-webhook-deliveries',
    schedule: '27 * * * *',
    attemptsMax: 5,
    endsAtOnce: true,
    run: async (_payload, { signal }) => {
      const deliveries = await queue.prune(keptMs, batchRows, signal);
      signal.throwIfAborted();
      if (deliveries > 0) log.info({ deliveries }, 'old webhook deliveries were pruned');
    },
  };
}
