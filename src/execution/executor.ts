import type { Catalog } from '../domain/catalog.ts';
import { LockTimeoutError, UnavailableError } from '../repository/errors.ts';
import { bucketOf } from '../repository/bucket.ts';
import type { Repository } from '../repository/repository.ts';
import { retrying, type BackoffSettings } from './backoff.ts';
import { CatalogReplacedError, runBatch, type LockPolicy, type Missed, type Verdict } from './batch.ts';
import type { CatalogCache } from './catalog-cache.ts';
import { ExecutionFailure, failureCodeOf } from './failure.ts';
import { Lanes, type LanesSettings } from './lanes.ts';
import { newOperationId } from './operation-id.ts';
import { PatientLane } from './patient-lane.ts';
import type { Pending } from './pending.ts';
import type { OperationRequest, Outcome } from './request.ts';

export interface ExecutorSettings extends LanesSettings {
  /** Commands waiting or under way at most; beyond it they are refused as `overloaded`. */
  readonly queueMax: number;
  /** How long a batch waits for one account's lock before it goes on without it. */
  readonly batchAccountWaitMs: number;
  /** How long a command waits for a lock in all, where it waits alone. */
  readonly lockTimeoutMs: number;
  /** How many commands may wait alone for locked accounts at once; each takes a connection. */
  readonly patientWorkers: number;
  readonly backoff: BackoffSettings;
  /** How many catalog changes in a row a command may run into before it gives up as `busy`. */
  readonly catalogReloads: number;
}

/** How busy the executor is. */
export interface ExecutorLoad {
  readonly lanes: number;
  /** Commands waiting or under way, and how many may be. */
  readonly inFlight: number;
  readonly inFlightMax: number;
  /** Of them, those that wait for their lane's next batch. */
  readonly queued: number;
  /** Of them, those that wait alone for a locked account. */
  readonly waitingAlone: number;
}

/** What the executor tells of its troubles; for the log. */
export interface ExecutorObserver {
  /** A command failed in a way that is a bug: `decide` threw, or a constraint fired. */
  onDefect(error: unknown, context: { type: string; operationId: string }): void;
  /** A batch failed as a whole, and its commands are run again one by one. */
  onBatchFailed(error: unknown, context: { commands: number }): void;
  /** A batch was committed; it may have had nothing to keep. */
  onCommitted?(): void;
}

/**
 * Makes decisions durable. An operation is answered only after the transaction that holds it has been committed, and
 * is applied at most once under its key, whatever fails on the way and however many replicas work at it.
 *
 * Commands are committed in groups: each lane gathers what arrives while its transaction is under way. A batch that
 * fails as a whole is run again command by command. What can't be carried out is thrown as an `ExecutionFailure`.
 */
export class Executor {
  readonly #repository: Repository;
  readonly #catalog: CatalogCache;
  readonly #settings: ExecutorSettings;
  readonly #observer: ExecutorObserver;
  readonly #lanes: Lanes<Pending>;
  readonly #patient: PatientLane<Waiting>;
  #inFlight = 0;
  #closed = false;

  constructor(deps: {
    repository: Repository;
    catalog: CatalogCache;
    settings: ExecutorSettings;
    observer: ExecutorObserver;
  }) {
    this.#repository = deps.repository;
    this.#catalog = deps.catalog;
    this.#settings = deps.settings;
    this.#observer = deps.observer;
    const { patientWorkers } = deps.settings;
    this.#lanes = new Lanes<Pending>(deps.settings, (batch) => this.#process(batch));
    this.#patient = new PatientLane<Waiting>({
      workers: patientWorkers,
      work: (waiting) => this.#waitAlone(waiting),
    });
  }

  /** Commands waiting or under way. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Where the commands are that wait, and how many there may be. */
  get load(): ExecutorLoad {
    return {
      lanes: this.#settings.lanes,
      inFlight: this.#inFlight,
      inFlightMax: this.#settings.queueMax,
      queued: this.#lanes.queued,
      waitingAlone: this.#patient.size,
    };
  }

  async execute(request: OperationRequest): Promise<Outcome> {
    if (this.#closed) throw new ExecutionFailure('shutting_down');
    if (this.#inFlight >= this.#settings.queueMax) throw new ExecutionFailure('overloaded');
    this.#inFlight += 1;
    try {
      return await new Promise<Outcome>((resolve, reject) => {
        const operationId = newOperationId();
        const idempotencyKey = request.idempotencyKey ?? operationId;
        this.#route({ request, operationId, idempotencyKey, outcomeUnknown: false, resolve, reject });
      });
    } finally {
      this.#inFlight -= 1;
    }
  }

  /** Refuses what comes from now on, and resolves when everything accepted before has been answered. */
  async drain(): Promise<void> {
    this.#closed = true;
    while (this.#inFlight > 0) {
      await Promise.all([this.#lanes.idle(), this.#patient.idle()]);
      await new Promise(setImmediate);
    }
  }

  /** The lane is chosen by the home's bucket, so neighbours meet in one batch instead of waiting for each other's locks. */
  #route(pending: Pending): void {
    const { home } = pending.request.command;
    this.#lanes.push(pending, bucketOf(home));
  }

  /** Works off what a lane has gathered. Never rejects: each command gets its answer here or where it is passed on to. */
  async #process(batch: readonly Pending[]): Promise<void> {
    try {
      const rest = this.#patient.isEmpty ? batch : this.#divert(batch, await this.#catalog.current());
      if (rest.length > 0) await this.#together(rest, 'nothing');
    } catch (error) {
      for (const pending of batch) this.#fail(pending, error);
    }
  }

  /** Sends those after the patient ones that would only wait for the same accounts. */
  #divert(batch: readonly Pending[], catalog: Catalog): readonly Pending[] {
    return batch.filter((pending) => {
      const accounts = accountsOf(pending, catalog);
      if (!this.#patient.waitsFor(accounts)) return true;
      this.#moveToPatient(pending, accounts);
      return false;
    });
  }

  /**
   * Runs them as one batch. When the wait for an account runs out, runs them again without the commands that need
   * what is taken: those wait alone. When the wait for stock runs out, it has been the full one: those are `busy`.
   */
  async #together(batch: readonly Pending[], passOver: LockPolicy['passOver']): Promise<void> {
    const accountWaitMs = this.#settings.batchAccountWaitMs;
    let verdicts: readonly Verdict[];
    try {
      verdicts = await this.#run(batch, { accountWaitMs, passOver });
    } catch (error) {
      const wider = widened(passOver, error);
      if (wider !== undefined) {
        await this.#together(batch, wider);
      } else {
        this.#observer.onBatchFailed(error, { commands: batch.length });
        await this.#oneByOne(batch);
      }
      return;
    }
    const catalog = await this.#catalog.current();
    batch.forEach((pending, i) => {
      const verdict = verdicts[i];
      if (verdict === undefined) throw new Error('a batch came back with fewer verdicts than commands');
      if (!isMissed(verdict)) this.#answer(pending, verdict);
      else if (verdict.rows === 'accounts') this.#moveToPatient(pending, accountsOf(pending, catalog));
      else this.#fail(pending, new LockTimeoutError('stock'));
    });
  }

  /**
   * What has failed one of them for good, the others are not made to wait for again: neither a database that stays out
   * of reach, nor stock that stays locked.
   */
  async #oneByOne(batch: readonly Pending[]): Promise<void> {
    const accountWaitMs = this.#settings.batchAccountWaitMs;
    let passOver: LockPolicy['passOver'] = 'nothing';
    let outage: unknown;
    for (const pending of batch) {
      if (outage !== undefined) {
        this.#fail(pending, outage);
        continue;
      }
      const error = await this.#alone(pending, () => ({ accountWaitMs, passOver }));
      if (error === undefined) continue;
      if (error instanceof LockTimeoutError && error.rows === 'accounts') {
        this.#moveToPatient(pending, accountsOf(pending, await this.#catalog.current()));
        continue;
      }
      this.#fail(pending, error);
      if (error instanceof LockTimeoutError && error.rows === 'stock') passOver = 'accounts and stock';
      if (error instanceof UnavailableError) outage = error;
    }
  }

  #moveToPatient(pending: Pending, accounts: readonly string[]): void {
    this.#patient.push({ pending, untilMs: performance.now() + this.#settings.lockTimeoutMs }, accounts);
  }

  async #waitAlone({ pending, untilMs }: Waiting): Promise<void> {
    const error = await this.#alone(pending, () => ({
      accountWaitMs: Math.max(1, Math.ceil(untilMs - performance.now())),
      passOver: 'nothing',
    }));
    if (error !== undefined) this.#fail(pending, error);
  }

  /**
   * Runs one command by itself, again and again with jitter while what fails may pass. An unknown outcome passes too:
   * the same key tells it, once the locks of the lost commit are free. Answers the caller, or returns the error that
   * outlasted the retries.
   */
  async #alone(pending: Pending, policy: () => LockPolicy): Promise<unknown> {
    try {
      const [verdict] = await retrying(
        this.#settings.backoff,
        async () => await this.#run([pending], policy()),
      );
      if (verdict === undefined) throw new Error('a batch of one came back without a verdict');
      if (isMissed(verdict)) return new LockTimeoutError(verdict.rows);
      this.#answer(pending, verdict);
      return undefined;
    } catch (error) {
      return error;
    }
  }

  /** Runs a batch on the current catalog: anew, footprints and all, as often as it was replaced meanwhile. */
  async #run(batch: readonly Pending[], policy: LockPolicy): Promise<readonly Verdict[]> {
    for (let reloads = 0; ; reloads += 1) {
      const catalog = await this.#catalog.current();
      try {
        const verdicts = await runBatch(batch, { repository: this.#repository, catalog, policy });
        this.#observer.onCommitted?.();
        return verdicts;
      } catch (error) {
        if (!(error instanceof CatalogReplacedError)) throw error;
        if (reloads === this.#settings.catalogReloads) throw new ExecutionFailure('busy', { cause: error });
        await this.#catalog.refresh();
      }
    }
  }

  #answer(pending: Pending, verdict: Outcome | ExecutionFailure): void {
    if (verdict instanceof ExecutionFailure) this.#fail(pending, verdict);
    else pending.resolve(verdict);
  }

  #fail(pending: Pending, error: unknown): void {
    const code = error instanceof ExecutionFailure ? error.code : failureCodeOf(error);
    const cause: unknown = error instanceof ExecutionFailure ? error.cause : error;
    if (code === 'internal_error') {
      this.#observer.onDefect(cause, {
        type: pending.request.command.type,
        operationId: pending.operationId,
      });
    }
    if (pending.outcomeUnknown) {
      const { idempotencyKey } = pending;
      pending.reject(new ExecutionFailure('outcome_unknown', { cause, idempotencyKey }));
    } else {
      pending.reject(new ExecutionFailure(code, { cause }));
    }
  }
}

interface Waiting {
  readonly pending: Pending;
  readonly untilMs: number;
}

/** What a batch passes over next, after a wait for a lock ran out; undefined where that would not help. */
function widened(passOver: LockPolicy['passOver'], error: unknown): LockPolicy['passOver'] | undefined {
  if (!(error instanceof LockTimeoutError)) return undefined;
  if (error.rows === 'accounts' && passOver === 'nothing') return 'accounts';
  if (error.rows === 'stock' && passOver !== 'accounts and stock') return 'accounts and stock';
  return undefined;
}

/** The accounts that a command needs; none if it can't say, which will show when it is run. */
function accountsOf({ request: { command } }: Pending, catalog: Catalog): readonly string[] {
  try {
    return command.footprint(catalog).accounts;
  } catch {
    return [];
  }
}

function isMissed(verdict: Verdict): verdict is Missed {
  return 'kind' in verdict && verdict.kind === 'missed';
}
