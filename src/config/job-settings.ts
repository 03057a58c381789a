import { cronLine } from './cron-line.ts';
import { duration, integer, optional, type Setting } from './setting.ts';

const dayMs = 86_400_000;
const retention = duration({ description: '', default: '1d', minMs: dayMs, maxMs: 3650 * dayMs });

/** Jobs and schedules: see "Scheduled work" in PRODUCTION.md. */
export const jobSettings = {
  JOB_CONCURRENCY: integer({
    description: 'Jobs that this replica runs at once.',
    min: 1,
    max: 64,
    default: '4',
  }),
  JOB_POLL_INTERVAL: duration({
    description:
      'How soon a replica finds a job whose time has come, such as another try. A job that is due when it is asked for is found at once.',
    default: '2s',
    minMs: 50,
    maxMs: 60_000,
  }),
  IDEMPOTENCY_KEY_RETENTION: optional(
    'duration, 1 day at least',
    {
      description:
        'How long idempotency keys are kept: a request that is repeated later is done again. Without it, for ever, as long as the operations.',
    },
    retention.parse,
  ),
  VERIFY_SCHEDULE: cronLine({
    description:
      'When the whole ledger is verified, on one replica: minute hour day month weekday, in UTC. The result is in GET /v1/verifications. off: never by itself.',
    default: '0 3 * * *',
  }),
} satisfies Record<string, Setting<unknown>>;
