import type { WebhookQueue } from '../repository/webhook-queue.ts';
import type { JobLog } from './job-log.ts';
import type { Job } from './job.ts';

/** Whoever has work has usually been told long before. */
const overdueMs = 60_000;

interface Parts {
  readonly queue: Pick<WebhookQueue, 'wakeOverdue'>;
  readonly log: JobLog;
}

/**
 * Asks for the jobs of endpoints that have waited for one for a minute. Usually there are none: it is for jobs that have
 * failed for good, and for one that was asked for at the moment when the last one under its key began, which loses it.
 */
export function wakeWebhooks({ queue, log }: Parts): Job {
  return {
    name: 'wake-webhooks',
    schedule: '* * * * *',
    attemptsMax: 1,
    run: async () => {
      const webhooks = await queue.wakeOverdue(overdueMs);
      if (webhooks.length > 0) log.info({ webhooks }, 'webhooks have waited for their deliveries');
    },
  };
}
