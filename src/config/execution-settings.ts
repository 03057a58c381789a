import { duration, integer, type Setting } from './setting.ts';

/** How operations are batched, queued and tried again. */
export const executionSettings = {
  LANES: integer({
    description: 'Batches under way at once, at most. For throughput only; two suit most databases.',
    min: 1,
    max: 64,
    default: '2',
  }),
  LANE_BATCH_MAX: integer({
    description: 'Operations in one batch at most.',
    min: 1,
    max: 1000,
    default: '128',
  }),
  LANE_BATCH_MIN: integer({
    description:
      'While another batch is under way, a lane begins its own only with so many operations. More, and fewer and larger batches cost less; 0: at once.',
    min: 0,
    max: 1000,
    default: '32',
  }),
  LANE_BATCH_WAIT: duration({
    description: '… or when one of them has waited for so long.',
    default: '20ms',
    minMs: 1,
    maxMs: 1000,
  }),
  QUEUE_MAX: integer({
    description: 'Operations waiting or under way at most; beyond it they are answered `overloaded`.',
    min: 1,
    max: 1_000_000,
    default: '10000',
  }),
  PATIENT_WORKERS: integer({
    description: 'Operations that wait alone for locked accounts at once.',
    min: 1,
    max: 64,
    default: '2',
  }),
  RETRY_MAX: integer({
    description: 'How often an operation is tried again after a failure that may pass.',
    min: 0,
    max: 20,
    default: '8',
  }),
  RETRY_BACKOFF: duration({
    description: 'Bound of the random wait before the first retry; it doubles with each.',
    default: '20ms',
    minMs: 1,
  }),
  RETRY_BACKOFF_MAX: duration({
    description: 'What that bound does not grow beyond.',
    default: '1s',
    minMs: 1,
  }),
} satisfies Record<string, Setting<unknown>>;
