import { duration, flag, integer, type Setting } from './setting.ts';

/** How operations are sent to the endpoints that want them. */
export const webhookSettings = {
  WEBHOOK_ALLOW_PRIVATE: flag({
    description:
      'Whether webhooks may go to private addresses and to this host, and without TLS. Otherwise only to public addresses, over https.',
    default: 'false',
  }),
  WEBHOOK_TIMEOUT: duration({
    description: 'How long an endpoint may take to answer.',
    default: '15s',
    minMs: 100,
    maxMs: 60_000,
  }),
  WEBHOOK_CONCURRENCY: integer({
    description: 'Deliveries under way to one endpoint at once.',
    min: 1,
    max: 64,
    default: '8',
  }),
  WEBHOOK_ATTEMPTS_MAX: integer({
    description: 'How often a delivery is tried before it is dead. Ten attempts take three days.',
    min: 1,
    max: 50,
    default: '10',
  }),
  WEBHOOK_DISABLE_AFTER: duration({
    description:
      'An endpoint that nothing could be delivered to for so long is disabled: what waits for it grows no further.',
    default: '5d',
    minMs: 60_000,
    maxMs: 30 * 86_400_000,
  }),
  WEBHOOK_DELIVERY_RETENTION: duration({
    description: 'How long deliveries are kept, as a log, after they were delivered or given up.',
    default: '7d',
    minMs: 3_600_000,
    maxMs: 365 * 86_400_000,
  }),
} satisfies Record<string, Setting<unknown>>;
