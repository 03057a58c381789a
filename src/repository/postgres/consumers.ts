import { sql, type Kysely } from 'kysely';
import type pg from 'pg';
import type {
  ConsumerCursors,
  ConsumerReport,
  CursorTurn,
  ParkedOperation,
  TurnFailure,
  TurnOptions,
} from '../consumers.ts';
import { UnavailableError } from '../errors.ts';
import * as statements from './consumer-statements.ts';
import type { DB } from './database-types.ts';
import { translated, translateError } from './errors.ts';
import { PostgresTurn } from './turn.ts';
import type { TransactionSettings } from './transaction.ts';

/** So many are enough to see that something is wrong. */
const parkedCountedMax = 10_000;

export class PostgresConsumerCursors implements ConsumerCursors {
  readonly #pool: pg.Pool;
  readonly #db: Kysely<DB>;
  readonly #settings: TransactionSettings;

  /** `pool` is for background work, and its connections are pipelined. */
  constructor(pool: pg.Pool, db: Kysely<DB>, settings: TransactionSettings) {
    this.#pool = pool;
    this.#db = db;
    this.#settings = settings;
  }

  async ensure(consumer: string, from: 'beginning' | 'end'): Promise<void> {
    const { text } = statements.ensureCursor;
    await translated(async () => await this.#pool.query(text, [consumer, from === 'beginning']));
  }

  async take<Result>(
    options: TurnOptions,
    work: (turn: CursorTurn) => Promise<Result>,
  ): Promise<Result | undefined> {
    const client = await this.#acquire();
    const deadline = setTimeout(() => client.connection.stream.destroy(), options.timeoutMs);
    let fit = false;
    try {
      const turn = await PostgresTurn.begin(client, options, this.#settings).catch((error: unknown) => {
        throw translateError(error);
      });
      if (turn === undefined) {
        await client.query('rollback');
        fit = true;
        return undefined;
      }
      const result = await work(turn);
      await turn.commit();
      fit = true;
      return result;
    } catch (error) {
      fit = await client.query('rollback').then(
        () => true,
        () => false,
      );
      throw error;
    } finally {
      clearTimeout(deadline);
      client.release(!fit);
    }
  }

  async noteFailure(consumer: string, failure: TurnFailure): Promise<void> {
    const { position, oneByOneUntil, attempts, error } = failure;
    const values = [consumer, position, oneByOneUntil, attempts, error];
    await translated(async () => await this.#pool.query(statements.noteFailure.text, values));
  }

  async noteRetryFailure(consumer: string, position: number, reason: string): Promise<void> {
    await translated(
      async () =>
        await this.#db
          .updateTable('parked_operations')
          .set({ retry: false, reason })
          .where('consumer', '=', consumer)
          .where('position', '=', position)
          .execute(),
    );
  }

  async list(): Promise<readonly ConsumerReport[]> {
    return await translated(
      async () =>
        await this.#db
          .selectFrom('consumers')
          .leftJoinLateral(
            (eb) =>
              eb
                .selectFrom('operations')
                .select('at')
                .whereRef('operations.position', '>', 'consumers.position')
                .orderBy('operations.position')
                .limit(1)
                .as('next'),
            (join) => join.onTrue(),
          )
          .select(['name', 'position', 'owner', 'error', 'attempts'])
          .select(sql<number>`greatest(0, (select last_value from operation_position) - position)`.as('lag'))
          .select(
            sql<number>`greatest(0, coalesce(extract(epoch from clock_timestamp() - next.at) * 1000, 0))::float8`.as(
              'behindMs',
            ),
          )
          .select(sql<number | null>`(extract(epoch from moved_at) * 1000)::float8`.as('movedAtMs'))
          .select(sql<number | null>`(extract(epoch from failed_at) * 1000)::float8`.as('failedAtMs'))
          .select(
            sql<number>`(select count(*) from (
              select from parked_operations where consumer = consumers.name limit ${parkedCountedMax}) as counted)`.as(
              'parked',
            ),
          )
          .orderBy('name')
          .execute(),
    );
  }

  async parked(
    consumer: string,
    { after, limit }: { after: number; limit: number },
  ): Promise<readonly ParkedOperation[]> {
    return await translated(
      async () =>
        await this.#db
          .selectFrom('parked_operations')
          .select(['position', 'operation', 'reason', 'retry'])
          .select(sql<number>`(extract(epoch from parked_at) * 1000)::float8`.as('parkedAtMs'))
          .where('consumer', '=', consumer)
          .where('position', '>', after)
          .orderBy('position')
          .limit(limit)
          .execute(),
    );
  }

  async retryParked(consumer: string, operation: string | null): Promise<number> {
    return await translated(async () => {
      let parked = this.#db
        .updateTable('parked_operations')
        .set({ retry: true })
        .where('consumer', '=', consumer);
      if (operation !== null) parked = parked.where('operation', '=', operation);
      const { numUpdatedRows } = await parked.executeTakeFirstOrThrow();
      return Number(numUpdatedRows);
    });
  }

  async #acquire(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      throw new UnavailableError('no connection for background work could be had', { cause: error });
    }
  }
}
