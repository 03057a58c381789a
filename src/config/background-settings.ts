import { duration, flag, integer } from './setting.ts';

/** What is done after a commit: consumers of the feed, jobs, and what they may cost those who call. */
export const backgroundSettings = {
  BACKGROUND_WORK: flag({
    description:
      'Whether this replica also does background work: consumers of the feed, jobs and schedules. At least one replica must.',
    default: 'true',
  }),
  FEED_POLL_INTERVAL: duration({
    description:
      'How soon followers and consumers on this replica see what another one has committed; its own commits they see at once.',
    default: '250ms',
    minMs: 20,
    maxMs: 60_000,
  }),
  CONSUMER_PAGE_ROWS: integer({
    description:
      'Operations that a consumer handles at once, at most. More, and they cost less; fewer, and callers notice less of it.',
    min: 1,
    max: 10_000,
    default: '64',
  }),
  CONSUMER_TURN: duration({
    description:
      'How long operations gather for a turn of a consumer, which spreads its pages over most of that; at most half of CONSUMER_TURN_TIMEOUT. Shorter, and rewards and deliveries come sooner; longer, and fewer turns cost less.',
    default: '200ms',
    maxMs: 10_000,
  }),
  CONSUMER_TURN_TIMEOUT: duration({
    description:
      'How long a turn may take before it is cut off. The longest, too, that a replica which vanished without closing its connection keeps others from taking over.',
    default: '10s',
    minMs: 1000,
    maxMs: 600_000,
  }),
  CONSUMER_ATTEMPTS_MAX: integer({
    description: 'How often an operation that fails by itself is tried before the consumer parks it.',
    min: 1,
    max: 100,
    default: '5',
  }),
  CONSUMER_RETRY_BACKOFF: duration({
    description: 'Wait after a turn that failed; it doubles with each in a row.',
    default: '200ms',
    minMs: 1,
  }),
  CONSUMER_RETRY_BACKOFF_MAX: duration({
    description: 'What that wait does not grow beyond.',
    default: '10s',
    minMs: 1,
  }),
  CONSUMER_LOOK_AGAIN: duration({
    description:
      'How often a replica looks by itself whether a consumer has no owner, something to do, or something parked to try again.',
    default: '1s',
    minMs: 10,
    maxMs: 60_000,
  }),
  CONSUMER_YIELD_AT: integer({
    description:
      'Operations of callers under way on this replica at which background work rests for as long as it works; at twice as many, four times as long. Three times as many, where it has been behind for two seconds. 0: it never rests.',
    min: 0,
    max: 1_000_000,
    default: '12',
  }),
};
