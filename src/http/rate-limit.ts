import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance } from 'fastify';
import { Problem } from './problem.ts';

/** Callers whose requests are counted at once; of more, the longest silent are forgotten. */
const callersMax = 10_000;

/**
 * Lets each caller send so many requests a minute to this replica, and says in every answer how many are left
 * (`RateLimit-Limit`, `-Remaining`, `-Reset`). To be registered after who calls has been found out: keys that share a
 * name share a limit, and what is public has none.
 */
export async function useRateLimit(app: FastifyInstance, requestsPerMinute: number): Promise<void> {
  await app.register(rateLimit, {
    max: requestsPerMinute,
    timeWindow: 60_000,
    cache: callersMax,
    // The first hook after those that find out who calls, and before the body is read.
    hook: 'preParsing',
    keyGenerator: ({ caller }) => caller?.actor ?? '',
    allowList: ({ caller }) => caller === null,
    enableDraftSpec: true,
    errorResponseBuilder: (_request, { max, ttl }) =>
      new Problem('rate_limited', {
        detail: `more than ${max} requests in a minute`,
        headers: { 'retry-after': String(Math.ceil(ttl / 1000)) },
      }),
  });
}
