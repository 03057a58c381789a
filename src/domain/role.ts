/**
 * What a caller may do: `admin` everything, `service` accounts and operations, `reader` reads, `player` what is its own
 * account's.
 */
export type Role = (typeof roles)[number];

export const roles = ['admin', 'service', 'reader', 'player'] as const;
