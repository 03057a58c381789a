import { setTimeout as sleep } from 'node:timers/promises';

/** What tells of a task that failed. */
export interface TaskLog {
  error(fields: object, message: string): void;
}

/** The kinds of background work, in the order in which a stop waits for them. */
export const taskKinds = ['jobs', 'consumers', 'streams', 'chores'] as const;
export type TaskKind = (typeof taskKinds)[number];

/** How a task is told that its time is up. */
export interface TaskSignals {
  /** The replica stops: finish what is under way, and take on nothing more. */
  readonly stopping: AbortSignal;
  /** Drop what is under way and end at once. */
  readonly aborted: AbortSignal;
}

/**
 * All work of this process that no request waits for. A task is registered before it starts, what it throws is logged,
 * and a stop can wait for it. It is only tracked in memory: a task survives a graceful stop, not a crash. What must
 * survive a crash is in the database before the caller is answered.
 */
export class BackgroundTasks {
  readonly #groups: Readonly<Record<TaskKind, TaskGroup>>;

  /** `maxRunning`: how many of each kind may run at once. */
  constructor({ maxRunning, log }: { maxRunning: Readonly<Record<TaskKind, number>>; log: TaskLog }) {
    const group = (kind: TaskKind): TaskGroup => new TaskGroup(maxRunning[kind], log);
    this.#groups = {
      jobs: group('jobs'),
      consumers: group('consumers'),
      streams: group('streams'),
      chores: group('chores'),
    };
  }

  /** The names of the tasks of this kind that run now. */
  running(kind: TaskKind): readonly string[] {
    return this.#groups[kind].running;
  }

  /** How many of each kind run, and may run. */
  get load(): Readonly<Record<TaskKind, { readonly running: number; readonly runningMax: number }>> {
    const of = ({ running, maxRunning }: TaskGroup) => ({ running: running.length, runningMax: maxRunning });
    const { jobs, consumers, streams, chores } = this.#groups;
    return { jobs: of(jobs), consumers: of(consumers), streams: of(streams), chores: of(chores) };
  }

  /** Starts a task, and answers whether it did: not once its kind was told to stop, nor while as many run as may. */
  start(kind: TaskKind, name: string, work: (signals: TaskSignals) => Promise<void>): boolean {
    return this.#groups[kind].start(name, work);
  }

  /** Takes no more tasks of this kind and tells those that run to come to an end; does not wait for them. */
  stop(kind: TaskKind): void {
    this.#groups[kind].stop();
  }

  /**
   * Stops this kind and waits for its tasks; aborts them when the time is up, and waits a little longer. Answers the
   * names of those that run even then: they ignored their signal.
   */
  async close(
    kind: TaskKind,
    times: { deadlineMs: number; abortGraceMs: number },
  ): Promise<readonly string[]> {
    return await this.#groups[kind].close(times);
  }
}

class TaskGroup {
  readonly maxRunning: number;
  readonly #log: TaskLog;
  readonly #running = new Map<Promise<void>, string>();
  readonly #stopping = new AbortController();
  readonly #aborted = new AbortController();

  constructor(maxRunning: number, log: TaskLog) {
    this.maxRunning = maxRunning;
    this.#log = log;
  }

  get running(): readonly string[] {
    return [...this.#running.values()];
  }

  start(name: string, work: (signals: TaskSignals) => Promise<void>): boolean {
    if (this.#stopping.signal.aborted || this.#running.size >= this.maxRunning) return false;
    const task = this.#run(name, work).finally(() => this.#running.delete(task));
    this.#running.set(task, name);
    return true;
  }

  stop(): void {
    this.#stopping.abort();
  }

  async close({
    deadlineMs,
    abortGraceMs,
  }: {
    deadlineMs: number;
    abortGraceMs: number;
  }): Promise<readonly string[]> {
    this.stop();
    await this.#settled(deadlineMs);
    if (this.#running.size === 0) return [];
    this.#aborted.abort();
    await this.#settled(abortGraceMs);
    return this.running;
  }

  async #run(name: string, work: (signals: TaskSignals) => Promise<void>): Promise<void> {
    try {
      // Never in the caller's own turn: a task that throws at once must not throw at its caller.
      await Promise.resolve();
      await work({ stopping: this.#stopping.signal, aborted: this.#aborted.signal });
    } catch (error) {
      if (!this.#aborted.signal.aborted)
        this.#log.error({ err: error, task: name }, 'background task failed');
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
