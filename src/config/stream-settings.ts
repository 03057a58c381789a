import { duration, integer } from './setting.ts';

/** Followers of the feed that are sent what comes. */
export const streamSettings = {
  FEED_STREAMS_MAX: integer({
    description:
      'Streams of the feed (`/v1/operations/stream`) that a replica has open at most; beyond it they are answered `overloaded`.',
    min: 0,
    max: 10_000,
    default: '100',
  }),
  FEED_STREAM_HEARTBEAT: duration({
    description:
      'How long a stream may be quiet before a comment is sent, and how often the credential of its follower is checked again. Shorter than the load balancer’s time-out for answers.',
    default: '15s',
    minMs: 100,
    maxMs: 3_600_000,
  }),
  FEED_STREAM_STALL_TIMEOUT: duration({
    description:
      'A follower that takes nothing of its stream for so long is cut off, and one whose feed or credential can’t be read for so long is let go of.',
    default: '30s',
    minMs: 100,
    maxMs: 3_600_000,
  }),
};
