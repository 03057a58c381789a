import { UnavailableError } from '../repository/errors.ts';
import type { ApiKeys, StoredApiKey } from '../repository/api-keys.ts';
import { apiKeyPrefix, isApiKey } from './api-key-token.ts';
import type { Caller } from './caller.ts';

/**
 * How long a replica may go on believing what it read of a key. Whoever revokes a key waits so long before it answers:
 * so when that is answered, no replica takes the key any more, and none of them had to be told.
 */
export const keyLeaseMs = 1000;

/** Prefixes remembered at once, of keys that are valid and of tokens that are none. */
const remembered = 10_000;
/** A database so slow that what it says is out of date on arrival is asked again, so often. */
const lookupsMax = 3;

interface Lookup {
  /** When the question was sent: the answer was true then, and may not be since. */
  readonly askedAtMs: number;
  readonly answer: Promise<StoredApiKey | undefined>;
  useNoted: boolean;
}

export interface KeyRingDeps {
  readonly keys: Pick<ApiKeys, 'byPrefix'>;
  /** Called when a key was used and that is worth writing down; must not throw. */
  readonly noteUse: (id: string) => void;
  /** A clock that never goes back, in ms. */
  readonly clock?: () => number;
}

/**
 * The API keys as one replica knows them. A key costs one read a second while it is in use, whatever the number of
 * requests; one that was revoked is refused a lease later at the latest, however slow the database or this process was.
 */
export class KeyRing {
  readonly #keys: KeyRingDeps['keys'];
  readonly #noteUse: KeyRingDeps['noteUse'];
  readonly #clock: () => number;
  readonly #lookups = new Map<string, Lookup>();

  constructor({ keys, noteUse, clock = () => performance.now() }: KeyRingDeps) {
    this.#keys = keys;
    this.#noteUse = noteUse;
    this.#clock = clock;
  }

  /** Whose key a token is; undefined: nobody's. Throws `UnavailableError` where the database can't say in time. */
  async find(token: string): Promise<Caller | undefined> {
    const prefix = apiKeyPrefix(token);
    if (prefix === undefined) return undefined;
    for (let tries = 0; tries < lookupsMax; tries += 1) {
      const lookup = this.#lookup(prefix);
      const key = await lookup.answer;
      if (!this.#holds(lookup)) continue;
      if (key === undefined || !isApiKey(token, key.digest)) return undefined;
      if (key.useIsStale && !lookup.useNoted) {
        lookup.useNoted = true;
        this.#noteUse(key.id);
      }
      return { actor: `key:${key.name}`, role: key.role, account: key.account };
    }
    throw new UnavailableError('the database is too slow to tell whether a key is valid');
  }

  #lookup(prefix: string): Lookup {
    const last = this.#lookups.get(prefix);
    if (last !== undefined && this.#holds(last)) return last;
    const lookup: Lookup = {
      askedAtMs: this.#clock(),
      answer: this.#keys.byPrefix(prefix),
      useNoted: false,
    };
    // In the order of asking, so that the oldest is the first to be forgotten.
    this.#lookups.delete(prefix);
    this.#lookups.set(prefix, lookup);
    if (this.#lookups.size > remembered) {
      const [oldest] = this.#lookups.keys();
      if (oldest !== undefined) this.#lookups.delete(oldest);
    }
    lookup.answer.catch(() => {
      if (this.#lookups.get(prefix) === lookup) this.#lookups.delete(prefix);
    });
    return lookup;
  }

  #holds({ askedAtMs }: Lookup): boolean {
    return this.#clock() - askedAtMs < keyLeaseMs;
  }
}
