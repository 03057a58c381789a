import { hash, timingSafeEqual } from 'node:crypto';

export type Role = 'admin' | 'service' | 'reader' | 'player';

/** Who sent a request. */
export interface Caller {
  /** `key:<the key's name>` or `player:<sub>`: on record with each operation, and the scope of its keys. */
  readonly actor: string;
  readonly role: Role;
  /** A player's own account; null for everyone else. */
  readonly account: string | null;
}

/** Finds out who a bearer token belongs to; undefined: nobody. */
export type Authenticate = (token: string) => Promise<Caller | undefined>;

/** Knows the one credential that the operator gave. Compares digests in constant time: nothing can be learnt from the time it takes. */
export function adminKey(key: string): Authenticate {
  const digest = hash('sha256', key, 'buffer');
  const admin: Caller = { actor: 'key:admin', role: 'admin', account: null };
  return (token) =>
    Promise.resolve(timingSafeEqual(hash('sha256', token, 'buffer'), digest) ? admin : undefined);
}
