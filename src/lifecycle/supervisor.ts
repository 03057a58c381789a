import { setTimeout as sleep } from 'node:timers/promises';
import type { ReplicaEnd } from './replica-process.ts';
import type { RestartBackoff } from './restart-backoff.ts';
import { describeEnd, type WorkerProcess } from './worker-process.ts';

export interface SupervisorLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface SupervisorDeps {
  /** How many replicas are to serve. */
  readonly size: number;
  /** Starts one, with the code that is on disk now. */
  readonly startWorker: () => WorkerProcess;
  /** Brings the database to the code that is on disk now, and answers whether that is done; it has logged why not. */
  readonly migrate: () => Promise<boolean>;
  readonly backoff: RestartBackoff;
  /** How long a replica that was told to stop may take before it is killed. */
  readonly stopTimeoutMs: number;
  readonly log: SupervisorLog;
}

interface Replica {
  readonly worker: WorkerProcess;
  /** Which replacement it was started for, or has been left in place by. */
  generation: number;
  state: 'starting' | 'serving' | 'handing over';
  servingSinceMs: number;
}

/**
 * Keeps so many replicas serving. One that ends is started again, with a back-off; a replacement starts a new one first
 * and lets an old one go when that serves, one at a time, so that there is never one too few, and one too many at most.
 *
 * One loop compares what is there with what should be, and does one thing about it; everything else only tells it that
 * something has changed.
 */
export class Supervisor {
  readonly #deps: SupervisorDeps;
  readonly #replicas = new Set<Replica>();
  #generation = 1;
  #replacing = false;
  #migrating = false;
  #migrateAgain = false;
  #stopping = false;
  #drained = true;
  #change = Promise.withResolvers<undefined>();

  constructor(deps: SupervisorDeps) {
    this.#deps = deps;
  }

  /** Resolves to where they serve once all do; to null when one can't, or when it is stopped before. */
  async start(): Promise<string | null> {
    const { size } = this.#deps;
    const starts = await Promise.all(Array.from({ length: size }, async () => await this.#start()));
    const failed = starts.find((start) => !start.served);
    if (failed !== undefined && !this.#stopping)
      this.#deps.log.error({ reason: failed.reason }, 'a replica did not come up');
    const [first] = starts;
    return failed === undefined && first?.served === true && !this.#stopping ? first.url : null;
  }

  /** Keeps them serving; resolves when it is told to stop. */
  async keep(): Promise<void> {
    while (!this.#stopping) {
      const serving = this.#in('serving');
      const outdated = serving.find(({ generation }) => generation < this.#generation);
      const waitMs = this.#deps.backoff.waitMs(performance.now());
      if (serving.length < this.#deps.size) {
        if (waitMs > 0) await this.#changed(waitMs);
        else await this.#startAgain();
      } else if (this.#in('handing over').length > 0) {
        await this.#changed();
      } else if (outdated !== undefined) {
        await this.#replace(outdated);
      } else {
        if (this.#replacing) this.#deps.log.info({}, 'the replacement is over');
        this.#replacing = false;
        await this.#changed();
      }
    }
  }

  /** Has the database migrated and then all replicas replaced, by what is on disk by then. May be called at any time. */
  async replaceAll(): Promise<void> {
    this.#migrateAgain = this.#migrating;
    if (this.#migrating) return;
    this.#migrating = true;
    do {
      this.#migrateAgain = false;
      if ((await this.#deps.migrate()) && !this.#stopping) {
        this.#generation += 1;
        this.#replacing = true;
        // What kept ending may have been mended.
        this.#deps.backoff.reset();
        this.#tellChange();
      }
      // Set by whoever called meanwhile.
    } while (this.#migrateAgain as boolean);
    this.#migrating = false;
  }

  /** Lets all of them stop, and answers whether every one that served has drained. */
  async stop(): Promise<boolean> {
    this.#stopping = true;
    this.#tellChange();
    const replicas = [...this.#replicas];
    for (const replica of replicas) {
      replica.worker.kill('SIGTERM');
      this.#killWhenLate(replica);
    }
    await Promise.all(replicas.map(async ({ worker }) => await worker.ended));
    return this.#drained;
  }

  /** Ends all of them on the spot. */
  kill(): void {
    for (const { worker } of this.#replicas) worker.kill('SIGKILL');
  }

  #in(state: Replica['state']): Replica[] {
    return [...this.#replicas].filter((replica) => replica.state === state);
  }

  async #start(): Promise<Awaited<WorkerProcess['started']>> {
    const worker = this.#deps.startWorker();
    const replica: Replica = {
      worker,
      generation: this.#generation,
      state: 'starting',
      servingSinceMs: 0,
    };
    this.#replicas.add(replica);
    worker.ended
      .then((end) => {
        this.#ended(replica, end);
      })
      .catch((error: unknown) => {
        this.#deps.log.error({ err: error }, 'the end of a replica could not be dealt with');
      });
    const start = await worker.started;
    if (start.served) {
      replica.state = 'serving';
      replica.servingSinceMs = performance.now();
      this.#deps.log.info({ replica: worker.pid, version: start.version }, 'a replica serves');
    }
    return start;
  }

  async #startAgain(): Promise<void> {
    const start = await this.#start();
    if (start.served || this.#stopping) return;
    const waitMs = this.#deps.backoff.ended({ livedMs: 0, nowMs: performance.now() });
    this.#deps.log.error({ reason: start.reason, nextTryInMs: waitMs }, 'a replica did not come up');
  }

  async #replace(old: Replica): Promise<void> {
    const generation = this.#generation;
    const start = await this.#start();
    if (this.#stopping) return;
    if (!start.served) {
      this.#deps.log.error(
        { reason: start.reason },
        'a new replica did not come up: those that serve are left in place. Mend what is on disk, or put back what was there, and send SIGHUP again',
      );
      for (const replica of this.#replicas) replica.generation = Math.max(replica.generation, generation);
      return;
    }
    // It may have ended meanwhile; then the new one stands in for it already.
    if (!this.#replicas.has(old)) return;
    old.state = 'handing over';
    this.#deps.log.info({ replica: old.worker.pid }, 'a replica hands over');
    old.worker.handOver();
    this.#killWhenLate(old);
  }

  #ended(replica: Replica, end: ReplicaEnd): void {
    this.#replicas.delete(replica);
    const { log, backoff } = this.#deps;
    const fields = { replica: replica.worker.pid, end: describeEnd(end) };
    const served = replica.state !== 'starting';
    if (this.#stopping) {
      if (served && end.code !== 0) this.#drained = false;
      log.info(fields, 'a replica ended');
    } else if (replica.state === 'serving') {
      const nowMs = performance.now();
      const waitMs = backoff.ended({ livedMs: nowMs - replica.servingSinceMs, nowMs });
      log.warn({ ...fields, restartInMs: waitMs }, 'a replica ended, and is started again');
    } else if (end.code === 0) {
      log.info(fields, 'a replica ended');
    } else if (served) {
      log.warn(fields, 'a replica ended without having drained');
    }
    this.#tellChange();
  }

  #killWhenLate({ worker }: Replica): void {
    const timer = setTimeout(() => {
      this.#deps.log.error({ replica: worker.pid }, 'a replica did not stop in time, and is killed');
      worker.kill('SIGKILL');
    }, this.#deps.stopTimeoutMs);
    worker.ended
      .then(() => {
        clearTimeout(timer);
      })
      .catch(() => undefined);
  }

  #tellChange(): void {
    const { resolve } = this.#change;
    this.#change = Promise.withResolvers();
    resolve(undefined);
  }

  /** Resolves at the next change, or after so long. */
  async #changed(waitMs?: number): Promise<void> {
    const timer = new AbortController();
    const { promise } = this.#change;
    const late = waitMs === undefined ? [] : [sleep(waitMs, undefined, { signal: timer.signal })];
    await Promise.race([promise, ...late.map(async (wait) => await wait.catch(() => undefined))]);
    timer.abort();
  }
}
