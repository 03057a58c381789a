import { ConflictError, LockTimeoutError } from '../errors.ts';

/** Who holds locks: one transaction. The name is for observers; identity is the object's. */
export interface LockOwner {
  readonly name: string;
}

/** How long to wait for a lock, and what to call the row when that runs out. */
export interface Patience {
  readonly waitMs: number;
  readonly rows: LockTimeoutError['rows'];
}

/** Someone who waits for a row, and who holds it: what `pg_blocking_pids` tells on PostgreSQL. */
export interface Wait {
  readonly waiter: string;
  readonly holder: string;
  readonly row: string;
}

export interface Locks {
  /** Takes the lock, after waiting its turn. Throws `LockTimeoutError`, or `ConflictError` to break a deadlock. */
  acquire(owner: LockOwner, row: string, patience: Patience): Promise<void>;
  /** Takes the lock if nobody else has it, and tells whether it has it now. */
  tryAcquire(owner: LockOwner, row: string): boolean;
  holds(owner: LockOwner, row: string): boolean;
  /** Gives up one lock; the first who waits for it has it from this moment on. */
  release(owner: LockOwner, row: string): void;
  releaseAll(owner: LockOwner): void;
  waits(): readonly Wait[];
}

/**
 * Exclusive row locks with waiters in the order of their arrival.
 *
 * A cycle of waiters is broken at the moment it closes, by failing the one in it that has waited longest. PostgreSQL
 * fails the one whose `deadlock_timeout` (1 s after it began to wait) runs out first while the cycle stands: the same
 * one wherever a cycle closes within that second, as all do here. When it closes later, the victim there is the one who
 * closed it (both tried on 18). The manual says not to rely on either.
 */
export class LockTable implements Locks {
  readonly #holders = new Map<string, LockOwner>();
  readonly #held = new Map<LockOwner, Set<string>>();
  readonly #queues = new Map<string, Waiter[]>();
  /** In the order in which they began to wait. Each owner waits for one row at a time. */
  readonly #waiting = new Map<LockOwner, Waiter>();

  async acquire(owner: LockOwner, row: string, patience: Patience): Promise<void> {
    if (this.tryAcquire(owner, row)) return;
    await this.#wait(owner, row, patience);
  }

  tryAcquire(owner: LockOwner, row: string): boolean {
    const holder = this.#holders.get(row);
    if (holder === undefined) this.#give(owner, row);
    return holder === undefined || holder === owner;
  }

  holds(owner: LockOwner, row: string): boolean {
    return this.#holders.get(row) === owner;
  }

  release(owner: LockOwner, row: string): void {
    if (!this.holds(owner, row)) throw new Error(`${owner.name} does not hold ${row}`);
    this.#holders.delete(row);
    this.#held.get(owner)?.delete(row);
    const next = this.#queues.get(row)?.[0];
    if (next === undefined) return;
    this.#leave(next);
    this.#give(next.owner, row);
    next.granted();
  }

  releaseAll(owner: LockOwner): void {
    for (const row of [...(this.#held.get(owner) ?? [])]) this.release(owner, row);
    this.#held.delete(owner);
  }

  waits(): readonly Wait[] {
    return [...this.#waiting.values()].map(({ owner, row }) => ({
      waiter: owner.name,
      holder: this.#holders.get(row)?.name ?? '',
      row,
    }));
  }

  #give(owner: LockOwner, row: string): void {
    this.#holders.set(row, owner);
    const held = this.#held.get(owner);
    if (held === undefined) this.#held.set(owner, new Set([row]));
    else held.add(row);
  }

  #wait(owner: LockOwner, row: string, { waitMs, rows }: Patience): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(waiter, new LockTimeoutError(rows)), waitMs);
      const waiter: Waiter = { owner, row, timer, granted: resolve, failed: reject };
      this.#waiting.set(owner, waiter);
      const queue = this.#queues.get(row);
      if (queue === undefined) this.#queues.set(row, [waiter]);
      else queue.push(waiter);
      this.#breakCycle(waiter);
    });
  }

  /** Only a new wait can close a cycle, and every owner waits for one row, which one owner holds: a walk finds it. */
  #breakCycle(closing: Waiter): void {
    const cycle = [closing];
    for (;;) {
      const holder = this.#holders.get(cycle.at(-1)?.row ?? '');
      const next = holder === undefined ? undefined : this.#waiting.get(holder);
      if (next === undefined) return;
      if (next === closing) break;
      cycle.push(next);
    }
    const victim = [...this.#waiting.values()].find((waiter) => cycle.includes(waiter)) ?? closing;
    this.#fail(victim, new ConflictError('deadlock detected'));
  }

  #fail(waiter: Waiter, error: Error): void {
    this.#leave(waiter);
    waiter.failed(error);
  }

  #leave(waiter: Waiter): void {
    clearTimeout(waiter.timer);
    this.#waiting.delete(waiter.owner);
    const rest = (this.#queues.get(waiter.row) ?? []).filter((other) => other !== waiter);
    if (rest.length === 0) this.#queues.delete(waiter.row);
    else this.#queues.set(waiter.row, rest);
  }
}

interface Waiter {
  readonly owner: LockOwner;
  readonly row: string;
  readonly timer: NodeJS.Timeout;
  readonly granted: () => void;
  readonly failed: (error: Error) => void;
}
