import { OutcomeUnknownError, UnavailableError } from '../../src/repository/errors.ts';
import type {
  EntriesQuery,
  InventoryQuery,
  Page,
  Repository,
  TransactionOptions,
  Tx,
} from '../../src/repository/repository.ts';
import { Gate } from './gate.ts';

/** What goes wrong with a transaction. */
export type Fault =
  /** There is no connection: the work is not even begun. */
  | { readonly kind: 'unavailable' }
  /** The work is done, and then all of it is lost with this error. */
  | { readonly kind: 'fails'; readonly error: Error }
  /** The answer to the commit is lost, and what was to be kept as well. */
  | { readonly kind: 'commit lost' }
  /** The answer to the commit is lost, and everything was kept. */
  | { readonly kind: 'commit kept' }
  /** The answer to the commit is lost, and the old connection holds its locks and keeps everything once the gate opens. */
  | { readonly kind: 'commit late'; readonly gate: Gate };

/**
 * A repository whose connections break as a test plans it. The faults are in front of the repository, not in it, so
 * what they leave behind is what the real one, or the fake, makes of a rollback and a commit.
 */
export class FaultyRepository implements Repository {
  readonly #repository: Repository;
  readonly #nextFault: (options: TransactionOptions) => Fault | undefined;
  readonly #late: Promise<unknown>[] = [];

  /** `nextFault` is asked before each transaction. */
  constructor(deps: {
    repository: Repository;
    nextFault: (options: TransactionOptions) => Fault | undefined;
  }) {
    this.#repository = deps.repository;
    this.#nextFault = deps.nextFault;
  }

  async transaction<Result>(
    work: (tx: Tx) => Promise<Result>,
    options: TransactionOptions = {},
  ): Promise<Result> {
    const fault = this.#nextFault(options);
    switch (fault?.kind) {
      case undefined:
        return await this.#repository.transaction(work, options);
      case 'unavailable':
        throw new UnavailableError('a fault: no connection');
      case 'fails':
        return await this.#losing(fault.error, work, options);
      case 'commit lost':
        return await this.#losing(new OutcomeUnknownError('a fault: commit lost'), work, options);
      case 'commit kept':
        await this.#repository.transaction(work, options);
        throw new OutcomeUnknownError('a fault: commit kept');
      case 'commit late':
        return await this.#committingLate(fault.gate, work, options);
    }
  }

  /** Resolves when the commits that came late have ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#late);
  }

  catalog() {
    return this.#repository.catalog();
  }
  asset(id: string) {
    return this.#repository.asset(id);
  }
  assets(page: Page) {
    return this.#repository.assets(page);
  }
  listing(id: string) {
    return this.#repository.listing(id);
  }
  listings(page: Page) {
    return this.#repository.listings(page);
  }
  rewardRule(id: string) {
    return this.#repository.rewardRule(id);
  }
  rewardRules(page: Page) {
    return this.#repository.rewardRules(page);
  }
  enabledRewardRules() {
    return this.#repository.enabledRewardRules();
  }
  account(id: string) {
    return this.#repository.account(id);
  }
  inventory(account: string, query: InventoryQuery) {
    return this.#repository.inventory(account, query);
  }
  entries(account: string, query: EntriesQuery) {
    return this.#repository.entries(account, query);
  }
  operation(id: string) {
    return this.#repository.operation(id);
  }
  feed(after: number, limit: number, end?: number) {
    return this.#repository.feed(after, limit, end);
  }
  feedEnd() {
    return this.#repository.feedEnd();
  }
  ping() {
    return this.#repository.ping();
  }

  /** Does the work and throws it away; what the work itself throws comes first, as it would. */
  async #losing(
    error: Error,
    work: (tx: Tx) => Promise<unknown>,
    options: TransactionOptions,
  ): Promise<never> {
    return await this.#repository.transaction(async (tx) => {
      await work(tx);
      throw error;
    }, options);
  }

  async #committingLate(
    gate: Gate,
    work: (tx: Tx) => Promise<unknown>,
    options: TransactionOptions,
  ): Promise<never> {
    const worked = new Gate();
    const committed = this.#repository.transaction(async (tx) => {
      await work(tx);
      worked.open();
      await gate.opened;
    }, options);
    this.#late.push(committed.catch(() => undefined));
    await Promise.race([worked.opened, committed]);
    throw new OutcomeUnknownError('a fault: commit late');
  }
}
