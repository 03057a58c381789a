import type { JobRemains } from '../repository/jobs.ts';
import type { IdempotencyKeys } from '../repository/idempotency-keys.ts';
import type { WebhookQueue } from '../repository/webhook-queue.ts';
import type { Verifications } from '../verification/verifications.ts';
import { deliverWebhooks } from './deliver-webhooks.ts';
import type { JobLog } from './job-log.ts';
import type { Job } from './job.ts';
import { pruneFailedJobs } from './prune-failed-jobs.ts';
import { pruneIdempotencyKeys } from './prune-idempotency-keys.ts';
import { pruneWebhookDeliveries } from './prune-webhook-deliveries.ts';
import { verifyLedger } from './verify-ledger.ts';
import { wakeWebhooks } from './wake-webhooks.ts';

/** What jobs work with. */
export interface JobParts {
  readonly verifications: Verifications;
  readonly jobRemains: JobRemains;
  readonly idempotencyKeys: IdempotencyKeys;
  readonly webhookQueue: WebhookQueue;
  readonly deliverer: Parameters<typeof deliverWebhooks>[0]['deliverer'];
  readonly settings: {
    readonly verifySchedule: string | null;
    /** Null: for ever. */
    readonly idempotencyKeysKeptMs: number | null;
    readonly webhookDeliveriesKeptMs: number;
  };
  readonly log: JobLog;
}

/**
 * Every job. A new one is a file in this folder and a line here. Also those that are switched off
 * are listed, without a schedule: one that waits from before must not wait for ever.
 */
export function allJobs(parts: JobParts): readonly Job[] {
  const { verifications, jobRemains, idempotencyKeys, webhookQueue: queue, deliverer, settings, log } = parts;
  return [
    verifyLedger({ verifications, schedule: settings.verifySchedule, log }),
    pruneIdempotencyKeys({ keys: idempotencyKeys, keptMs: settings.idempotencyKeysKeptMs, log }),
    pruneFailedJobs({ remains: jobRemains, log }),
    deliverWebhooks({ deliverer }),
    wakeWebhooks({ queue, log }),
    pruneWebhookDeliveries({ queue, keptMs: settings.webhookDeliveriesKeptMs, log }),
  ];
}
