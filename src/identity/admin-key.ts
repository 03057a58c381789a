import { hash, timingSafeEqual } from 'node:crypto';
import type { Caller } from './caller.ts';

/** The name that the operator's own key acts under; no other key may have it without being an admin's. */
export const adminKeyName = 'admin';

/** Knows the one key that the operator gave. Compares digests in constant time: nothing can be learnt from the time it takes. */
export function adminKey(key: string): (token: string) => Caller | undefined {
  const digest = hash('sha256', key, 'buffer');
  const admin: Caller = { actor: `key:${adminKeyName}`, role: 'admin', account: null };
  return (token) => (timingSafeEqual(hash('sha256', token, 'buffer'), digest) ? admin : undefined);
}
