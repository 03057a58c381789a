export const lastPosition = 'select last_value as position from operation_position';

export const announcedPosition = `
  select min(((classid::bigint & 65535) << 32) | objid::bigint) as position
  from pg_locks
  where locktype = 'advisory' and objsubid = 1 and (classid::bigint >> 16) = 18502
    and database = (select oid from pg_database where datname = current_database())`;

/** Runs one statement, each on the same connection, in a transaction of its own. */
type Run = (statement: string) => Promise<readonly { readonly position: number | null }[]>;

/**
 * Up to where the feed is complete. In this order and in separate statements: the last number given out, then the
 * lowest number that a transaction under way has announced. What is numbered up to the lower of the two has ended,
 * and a reader whose statement, or snapshot, comes after sees it, because a commit becomes visible before its locks go.
 */
export async function feedHorizon(run: Run): Promise<number> {
  const [last] = await run(lastPosition);
  const [announced] = await run(announcedPosition);
  return Math.min(last?.position ?? 0, announced?.position ?? Infinity);
}
