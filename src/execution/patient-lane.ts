/**
 * Where commands wait alone for accounts that someone else keeps locked, so that no batch has to wait with them. Each of
 * its workers takes one command at a time. Commands for an account that is waited for here are to follow here, until
 * it gets through: in a lane they would hold up their batch again.
 */
export class PatientLane<Item> {
  readonly #workers: number;
  readonly #work: (item: Item) => Promise<void>;
  readonly #queue: Waiting<Item>[] = [];
  /** How many commands here need an account. */
  readonly #waiting = new Map<string, number>();
  /** The accounts of the commands that a worker has in hand. */
  readonly #served = new Set<string>();
  readonly #running = new Set<Promise<void>>();

  /** `work` must not reject: it is the one to answer for what it took. */
  constructor(options: { workers: number; work: (item: Item) => Promise<void> }) {
    this.#workers = options.workers;
    this.#work = options.work;
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /** How many commands are here, those that a worker has in hand included. */
  get size(): number {
    return this.#queue.length + this.#running.size;
  }

  /** Whether any of these accounts is waited for here. */
  waitsFor(accounts: readonly string[]): boolean {
    return accounts.some((account) => this.#waiting.has(account));
  }

  push(item: Item, accounts: readonly string[]): void {
    for (const account of accounts) this.#waiting.set(account, (this.#waiting.get(account) ?? 0) + 1);
    this.#queue.push({ item, accounts });
    this.#startWorkers();
  }

  /** Resolves when nobody waits here. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** As many workers as may run and have something to do: a second one on the same account would only wait as well. */
  #startWorkers(): void {
    while (this.#running.size < this.#workers) {
      const next = this.#takeFree();
      if (next === undefined) return;
      const running = this.#serve(next).finally(() => {
        this.#running.delete(running);
        this.#startWorkers();
      });
      this.#running.add(running);
    }
  }

  #takeFree(): Waiting<Item> | undefined {
    const index = this.#queue.findIndex(
      ({ accounts }) => !accounts.some((account) => this.#served.has(account)),
    );
    return index === -1 ? undefined : this.#queue.splice(index, 1)[0];
  }

  async #serve({ item, accounts }: Waiting<Item>): Promise<void> {
    for (const account of accounts) this.#served.add(account);
    try {
      await this.#work(item);
    } finally {
      for (const account of accounts) {
        this.#served.delete(account);
        this.#leave(account);
      }
    }
  }

  #leave(account: string): void {
    const left = (this.#waiting.get(account) ?? 1) - 1;
    if (left === 0) this.#waiting.delete(account);
    else this.#waiting.set(account, left);
  }
}

interface Waiting<Item> {
  readonly item: Item;
  readonly accounts: readonly string[];
}
