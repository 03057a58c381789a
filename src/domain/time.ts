/** RFC 3339, UTC, milliseconds: how every time is written. */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString();
}

/** The last moment that RFC 3339 can write. */
export const timeMaxMs = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

export function timestampOrNull(ms: number | null): string | null {
  return ms === null ? null : timestamp(ms);
}
