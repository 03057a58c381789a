import { setTimeout as sleep } from 'node:timers/promises';
import type { Role } from '../domain/role.ts';
import type { ApiKey, ApiKeys } from '../repository/api-keys.ts';
import { adminKeyName } from './admin-key.ts';
import { newApiKeyToken } from './api-key-token.ts';
import { keyLeaseMs } from './key-ring.ts';

/** For clocks that don't run at quite the same speed. */
const leaseMarginMs = 100;

export interface KeyRequest {
  readonly name: string;
  readonly role: Role;
  /** A player's key names one, and no other does. */
  readonly account: string | null;
}

/** What is wrong with a request for a key. */
export interface KeyFault {
  readonly member: 'name' | 'account';
  readonly message: string;
}

export type KeyOutcome =
  | { readonly kind: 'made'; readonly key: ApiKey; readonly token: string }
  | { readonly kind: 'refused'; readonly fault: KeyFault };

/** Makes, lists and revokes API keys, for the HTTP routes and the command line alike. */
export class KeyKeeper {
  readonly #keys: ApiKeys;
  readonly #newId: () => string;

  constructor({ keys, newId }: { keys: ApiKeys; newId: () => string }) {
    this.#keys = keys;
    this.#newId = newId;
  }

  /** The key is valid on every replica when this resolves. Its token is in the outcome, and nowhere else. */
  async create({ name, role, account }: KeyRequest): Promise<KeyOutcome> {
    if (role === 'player' && account === null)
      return refusal('account', 'is required for the role player: the one account that the key acts on');
    if (role !== 'player' && account !== null) return refusal('account', 'is for the role player alone');
    if (name === adminKeyName && role !== 'admin')
      return refusal('name', `"${adminKeyName}" is the name that the operator's own key acts under`);
    const { token, prefix, digest } = newApiKeyToken();
    const key = await this.#keys.create({ id: this.#newId(), name, role, account, prefix, digest });
    if (key === null)
      return refusal(
        'name',
        'belongs to a key with another role or account; keys that share a name share both',
      );
    return { kind: 'made', key, token };
  }

  /** Newest first, beginning after the key `after`. */
  async list(page: { readonly after: string | null; readonly limit: number }): Promise<readonly ApiKey[]> {
    return await this.#keys.list(page);
  }

  /** No replica takes the key any more when this resolves, a little more than a lease later. Undefined: there is none. */
  async revoke(id: string): Promise<ApiKey | undefined> {
    const key = await this.#keys.remove(id);
    if (key !== undefined) await sleep(keyLeaseMs + leaseMarginMs);
    return key;
  }
}

function refusal(member: KeyFault['member'], message: string): KeyOutcome {
  return { kind: 'refused', fault: { member, message } };
}
