import { setTimeout as sleep } from 'node:timers/promises';

/** What tells of a task that failed. */
export interface TaskLog {
  error(fields: object, message: string): void;
}

/**
 * All work of this process that no request waits for. A task is registered before it starts, what it throws is logged,
 * and a stop can wait for it. It is only tracked in memory: a task survives a graceful stop, not a crash. What must
 * survive a crash is in the database before the caller is answered.
 */
export class BackgroundTasks {
  /** How many may run at once. */
  readonly maxRunning: number;
  readonly #log: TaskLog;
  readonly #running = new Map<Promise<void>, string>();
  readonly #abort = new AbortController();
  #closed = false;

  constructor({ maxRunning, log }: { maxRunning: number; log: TaskLog }) {
    this.maxRunning = maxRunning;
    this.#log = log;
  }

  /** The names of the tasks that run now. */
  get running(): readonly string[] {
    return [...this.#running.values()];
  }

  /**
   * Starts a task, and answers whether it did: not once closed, nor while as many run as may. The task is to end soon
   * after its signal aborts.
   */
  start(name: string, work: (signal: AbortSignal) => Promise<void>): boolean {
    if (this.#closed || this.#running.size >= this.maxRunning) return false;
    const task = this.#run(name, work).finally(() => this.#running.delete(task));
    this.#running.set(task, name);
    return true;
  }

  /**
   * Takes no more tasks and waits for those that run; aborts them when the time is up, and waits a little longer.
   * Answers the names of those that run even then: they ignored their signal.
   */
  async close({
    deadlineMs,
    abortGraceMs,
  }: {
    deadlineMs: number;
    abortGraceMs: number;
  }): Promise<readonly string[]> {
    this.#closed = true;
    await this.#settled(deadlineMs);
    if (this.#running.size === 0) return [];
    this.#abort.abort();
    await this.#settled(abortGraceMs);
    return this.running;
  }

  async #run(name: string, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    try {
      // Never in the caller's own turn: a task that throws at once must not throw at its caller.
      await Promise.resolve();
      await work(this.#abort.signal);
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#log.error({ err: error, task: name }, 'background task failed');
    }
  }

  async #settled(timeoutMs: number): Promise<void> {
    if (this.#running.size === 0) return;
    const timer = new AbortController();
    const timeout = sleep(timeoutMs, undefined, { signal: timer.signal }).catch(() => undefined);
    await Promise.race([Promise.all(this.#running.keys()), timeout]);
    timer.abort();
  }
}
