import type { Role } from '../domain/role.ts';

/** Who sent a request. */
export interface Caller {
  /** `key:<the key's name>` or `player:<sub>`: on record with each operation, and the scope of its keys. */
  readonly actor: string;
  readonly role: Role;
  /** A player's own account; null for everyone else. */
  readonly account: string | null;
}

/** What became of a token: who it belongs to, or why it is nobody's, in words for whoever sent it. */
export type Identified =
  | { readonly kind: 'known'; readonly caller: Caller }
  | { readonly kind: 'refused'; readonly because: string };

/** Finds out who a bearer token belongs to. Throws what keeps it from finding out. */
export type Authenticate = (token: string) => Promise<Identified>;

export function known(caller: Caller): Identified {
  return { kind: 'known', caller };
}

export function refused(because: string): Identified {
  return { kind: 'refused', because };
}
