import { accountExists } from '../domain/account.ts';
import type { JsonObject } from '../domain/json.ts';
import type { AccountProfile, Repository } from '../repository/repository.ts';
import { retrying, type BackoffSettings } from './backoff.ts';

/** What a client sets of an account. */
export interface AccountInput {
  readonly capacity: number | null;
  readonly properties: JsonObject;
}

/** Creates and changes accounts. What they own and their versions are the executor's, and stay as they are. */
export class AccountEditor {
  readonly #repository: Repository;
  readonly #backoff: BackoffSettings;

  constructor(deps: { repository: Repository; backoff: BackoffSettings }) {
    this.#repository = deps.repository;
    this.#backoff = deps.backoff;
  }

  /** Puts these properties in place of those the account had; safe to repeat. Locks the account. */
  async put(id: string, input: AccountInput): Promise<{ profile: AccountProfile; created: boolean }> {
    return await retrying(
      this.#backoff,
      async () =>
        await this.#repository.transaction(async (tx) => {
          const [, [account]] = await Promise.all([tx.ensureAccounts([id]), tx.lockAccounts([id])]);
          if (account === undefined) throw new Error(`account ${id} was ensured, but is not there`);
          tx.save({ profiles: [{ id, ...input }] });
          return { profile: { id, version: account.version, ...input }, created: !accountExists(account) };
        }),
    );
  }
}
