/** Values below this are counted one by one; above, each doubling is divided into half as many buckets. */
const linear = 128;
const halfBits = 6;
const valueMax = 2 ** 31 - 1;
const buckets = (32 - halfBits) << halfBits;

/**
 * Counts durations in a fixed amount of memory (13 kB), however many there are. A quantile is never too low, and too
 * high by 1.6 % at most; the longest is exact. After HdrHistogram (Tene), with the same layout of buckets.
 */
export class Histogram {
  readonly #counts = new Float64Array(buckets);
  #count = 0;
  #maxMs = 0;

  get count(): number {
    return this.#count;
  }

  get maxMs(): number {
    return this.#maxMs;
  }

  /** Beyond 35 minutes it counts as 35 minutes, except in `maxMs`. */
  record(durationMs: number): void {
    const us = Math.min(Math.max(0, Math.round(durationMs * 1000)), valueMax);
    const bucket = bucketOf(us);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count += 1;
    if (durationMs > this.#maxMs) this.#maxMs = durationMs;
  }

  /** The duration that this share of all (0 to 1) did not exceed; 0 where there are none. */
  quantileMs(share: number): number {
    const rank = Math.max(1, Math.ceil(share * this.#count));
    let seen = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      seen += count;
      if (count > 0 && seen >= rank) return Math.min(highestOf(bucket) / 1000, this.#maxMs);
    }
    return 0;
  }
}

function bucketOf(us: number): number {
  const doublings = Math.max(0, 32 - halfBits - 1 - Math.clz32(us));
  return (doublings << halfBits) + (us >>> doublings);
}

/** The highest value, in µs, that this bucket counts. */
function highestOf(bucket: number): number {
  const doublings = bucket < linear ? 0 : (bucket >> halfBits) - 1;
  return (bucket - (doublings << halfBits) + 1) * 2 ** doublings - 1;
}
