import type { PoolClient } from 'pg';
import type { Cursor, CursorTurn, FeedOperation, TurnOptions } from '../consumers.ts';
import type { JobRequest } from '../jobs.ts';
import type { NewDelivery } from '../webhook-queue.ts';
import { commit } from './commit.ts';
import * as statements from './consumer-statements.ts';
import { jobSaving } from './enqueue-jobs.ts';
import type { Saving } from './savings.ts';
import { Pipeline, type Row, type Value } from './pipeline.ts';
import { numberOf, numberOrNull, textOf } from './rows.ts';
import { settings as beginSettings, type Statement } from './statements.ts';
import type { TransactionSettings } from './transaction.ts';

/**
 * A consumer's turn on one connection: the cursor is locked and the end of the feed learnt in one flush; what was set
 * down travels with the commit in another.
 */
export class PostgresTurn implements CursorTurn {
  readonly cursor: Cursor;
  readonly end: number;
  readonly retry: FeedOperation | undefined;
  readonly #client: PoolClient;
  readonly #pipeline: Pipeline;
  readonly #options: TurnOptions;
  readonly #kept: Saving[] = [];
  readonly #deliveries: NewDelivery[] = [];
  readonly #jobs = new Map<string | symbol, JobRequest>();
  #position: number | undefined;
  readonly #parked: { operation: FeedOperation; reason: string }[] = [];

  /** Begins the transaction. Undefined: someone else has the cursor locked. */
  static async begin(
    client: PoolClient,
    options: TurnOptions,
    settings: TransactionSettings,
  ): Promise<PostgresTurn | undefined> {
    const pipeline = new Pipeline(client, { named: settings.namedStatements });
    const { lockTimeoutMs, statementTimeoutMs, connectionCheckMs } = settings;
    // While the operations are handled elsewhere, this transaction idles: as long as a turn may take.
    const times = [lockTimeoutMs, statementTimeoutMs, options.timeoutMs, connectionCheckMs];
    const answers = await Promise.allSettled([
      pipeline.control('begin'),
      pipeline.send(
        beginSettings,
        times.map((ms) => `${ms}ms`),
      ),
      pipeline.send(statements.notSynchronously),
      pipeline.send(statements.lockCursor, [options.consumer]),
      pipeline.send(statements.operationToRetry, [options.consumer]),
      pipeline.send(statements.lastGiven),
      pipeline.send(statements.lowestAnnounced),
    ]);
    const failed = answers.find((answer) => answer.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    const [, , , cursor, retry, last, announced] = answers.map((answer) =>
      answer.status === 'fulfilled' && typeof answer.value !== 'string' ? answer.value : [],
    );
    const row = cursor?.[0];
    if (row === undefined) return undefined;
    const end = Math.min(numberOf(last?.[0]?.[0]), numberOrNull(announced?.[0]?.[0]) ?? Infinity);
    const toRetry = retry?.map(operationOf)[0];
    return new PostgresTurn({ cursor: cursorOf(row), end, retry: toRetry, client, pipeline, options });
  }

  private constructor(turn: {
    cursor: Cursor;
    end: number;
    retry: FeedOperation | undefined;
    client: PoolClient;
    pipeline: Pipeline;
    options: TurnOptions;
  }) {
    this.cursor = turn.cursor;
    this.end = turn.end;
    this.retry = turn.retry;
    this.#client = turn.client;
    this.#pipeline = turn.pipeline;
    this.#options = turn.options;
  }

  get gathered(): number {
    return this.#parked.length + this.#jobs.size + this.#deliveries.length;
  }

  async read(after: number, limit: number): Promise<readonly FeedOperation[]> {
    const rows = await this.#pipeline.send(statements.readPage, [after, this.end, limit]);
    return rows.map(operationOf);
  }

  park(operation: FeedOperation, reason: string): void {
    this.#parked.push({ operation, reason });
  }

  enqueue(jobs: readonly JobRequest[]): void {
    for (const job of jobs) this.#jobs.set(job.key ?? Symbol(job.name), job);
  }

  deliver(deliveries: readonly NewDelivery[]): void {
    for (const delivery of deliveries) this.#deliveries.push(delivery);
  }

  unpark({ position }: FeedOperation): void {
    this.#keep(statements.unpark, [this.#options.consumer, position]);
  }

  moveTo(position: number): void {
    this.#position = position;
  }

  /** Sends what was set down with the commit. When this throws, it may have been kept: the cursor tells. */
  async commit(): Promise<void> {
    if (this.#deliveries.length > 0) this.#keepDeliveries();
    if (this.#jobs.size > 0) this.#kept.push(jobSaving([...this.#jobs.values()]));
    if (this.#parked.length > 0) this.#keepParked();
    if (this.#position !== undefined)
      this.#keep(statements.moveCursor, [this.#options.consumer, this.#position, this.#options.owner]);
    await commit(this.#client, this.#pipeline, this.#kept);
  }

  #keep(statement: Statement, values: readonly Value[]): void {
    this.#kept.push({ statement, values });
  }

  #keepDeliveries(): void {
    this.#keep(statements.deliver, [
      this.#deliveries.map(({ webhook }) => webhook),
      this.#deliveries.map(({ position }) => position),
      this.#deliveries.map(({ operation }) => operation),
    ]);
  }

  /** After what was unparked: an operation that was tried again in vain stays parked, with its new reason. */
  #keepParked(): void {
    this.#keep(statements.park, [
      this.#options.consumer,
      this.#parked.map(({ operation }) => operation.position),
      this.#parked.map(({ operation }) => operation.id),
      this.#parked.map(({ reason }) => reason),
    ]);
  }
}

function cursorOf([position, oneByOneUntil, attempts, error, failedMsAgo]: Row): Cursor {
  return {
    position: numberOf(position),
    oneByOneUntil: numberOf(oneByOneUntil),
    attempts: numberOf(attempts),
    error: error === null ? null : textOf(error),
    failedMsAgo: numberOrNull(failedMsAgo),
  };
}

function operationOf([position, id, type, home, atMs, receipt]: Row): FeedOperation {
  return {
    position: numberOf(position),
    id: textOf(id),
    type: textOf(type),
    home: textOf(home),
    atMs: numberOf(atMs),
    receipt: textOf(receipt),
  };
}
