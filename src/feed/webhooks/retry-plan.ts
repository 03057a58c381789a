const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;

/** What Standard Webhooks suggests: how long to wait after the first failure, the second, and so on. */
export const retryDelaysMs: readonly number[] = [
  5 * secondMs,
  5 * minuteMs,
  30 * minuteMs,
  2 * hourMs,
  5 * hourMs,
  10 * hourMs,
  14 * hourMs,
  20 * hourMs,
  24 * hourMs,
];

/** An endpoint may ask for more patience, but not for any amount of it. */
const retryAfterMsMax = 24 * hourMs;
/** A delay is longer by up to so much of itself: what failed together does not come back together. */
const jitter = 0.2;

export interface RetryPlan {
  readonly attemptsMax: number;
  /** The last holds for all further attempts. */
  readonly delaysMs: readonly number[];
  /** From 0 to 1. */
  readonly random: () => number;
}

/**
 * How long to wait after a delivery has failed so many times, or as long as the endpoint has asked for, if that is longer;
 * null: it has been tried often enough.
 */
export function retryInMs(plan: RetryPlan, failures: number, retryAfterMs: number | null): number | null {
  const { attemptsMax, delaysMs, random } = plan;
  if (failures >= attemptsMax) return null;
  const delayMs = (delaysMs[failures - 1] ?? delaysMs.at(-1) ?? 0) * (1 + jitter * random());
  return Math.round(Math.max(delayMs, Math.min(retryAfterMs ?? 0, retryAfterMsMax)));
}

/** How long an endpoint is left alone that is not there: as long as it has been away, within these bounds. */
const restMsMin = 5 * secondMs;
const restMsMax = 5 * minuteMs;
/** … or as long as it asks for. */
const askedRestMsMax = hourMs;

export function restMs(failingForMs: number | null, retryAfterMs: number | null): number {
  const ownMs = Math.min(Math.max(failingForMs ?? 0, restMsMin), restMsMax);
  return Math.max(ownMs, Math.min(retryAfterMs ?? 0, askedRestMsMax));
}

/** A `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3). Null: it says nothing that can be understood. */
export function parseRetryAfterMs(value: string | undefined, nowMs: number): number | null {
  if (value === undefined) return null;
  if (/^\d{1,9}$/.test(value)) return Number(value) * secondMs;
  const atMs = httpDate.test(value) ? Date.parse(value) : NaN;
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs);
}

const httpDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
