import type { Role } from '../domain/role.ts';

/** The API keys that are valid. They are kept beside the ledger: no decision of an operation rests on them. */
export interface ApiKeys {
  /**
   * Kept, durably, when this resolves. Answers null, and keeps nothing, where the name belongs to keys with another
   * role or account: whoever reads an operation's actor must know what that was. Waits for others who create keys.
   */
  create(key: NewApiKey): Promise<ApiKey | null>;
  /** Newest first, beginning after the key `after`. */
  list(page: { readonly after: string | null; readonly limit: number }): Promise<readonly ApiKey[]>;
  /** Undefined: there is no valid key with this prefix. */
  byPrefix(prefix: string): Promise<StoredApiKey | undefined>;
  /** Gone, durably, when this resolves. Undefined: there was none. */
  remove(id: string): Promise<ApiKey | undefined>;
  /** Notes that a key was used now, at most once a minute however often it is told. */
  noteUse(id: string): Promise<void>;
}

export interface ApiKey {
  /** A UUIDv7: keys in the order of ids are in the order in which they were made. */
  readonly id: string;
  /** Keys being rotated share it. */
  readonly name: string;
  readonly role: Role;
  /** A player's; null for every other role. */
  readonly account: string | null;
  readonly prefix: string;
  readonly createdAtMs: number;
  /** To the minute; null: never. */
  readonly lastUsedAtMs: number | null;
}

export interface NewApiKey extends Pick<ApiKey, 'id' | 'name' | 'role' | 'account' | 'prefix'> {
  /** SHA-256 of the whole key. */
  readonly digest: Buffer;
}

export interface StoredApiKey extends ApiKey {
  readonly digest: Buffer;
  /** Whether a use now would be worth noting. */
  readonly useIsStale: boolean;
}
