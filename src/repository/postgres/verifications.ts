import { sql, type Kysely } from 'kysely';
import type { Discrepancy, VerificationCounts } from '../../domain/verification.ts';
import { timestamp } from '../../domain/time.ts';
import type { VerificationRecord, VerificationRecords, VerificationsQuery } from '../verifications.ts';
import type { DB } from './database-types.ts';
import { translated } from './errors.ts';

export class PostgresVerificationRecords implements VerificationRecords {
  readonly #db: Kysely<DB>;

  constructor(db: Kysely<DB>) {
    this.#db = db;
  }

  async save({ id, actor, startedAtMs, finishedAtMs, ...result }: VerificationRecord): Promise<void> {
    await translated(async () => {
      await this.#db
        .insertInto('verifications')
        .values({
          id,
          actor,
          started_at: timestamp(startedAtMs),
          finished_at: timestamp(finishedAtMs),
          result: JSON.stringify(result),
        })
        .execute();
    });
  }

  async find(id: string): Promise<VerificationRecord | undefined> {
    return await translated(async () => await this.#select(null).where('id', '=', id).executeTakeFirst());
  }

  async list({
    before,
    limit,
    discrepanciesMax,
  }: VerificationsQuery): Promise<readonly VerificationRecord[]> {
    return await translated(async () => {
      let page = this.#select(discrepanciesMax)
        .orderBy('started_at', 'desc')
        .orderBy(sql`id::text`, 'desc')
        .limit(limit);
      if (before !== null) {
        const { startedAtMs, id } = before;
        page = page.where(
          sql<boolean>`(started_at, id::text) < (${timestamp(startedAtMs)}::timestamptz, ${id})`,
        );
      }
      return await page.execute();
    });
  }

  /** The discrepancies are cut before they travel: there may be very many in each. */
  #select(discrepanciesMax: number | null) {
    return this.#db
      .selectFrom('verifications')
      .select(['id', 'actor'])
      .select(sql<number>`(extract(epoch from started_at) * 1000)::float8`.as('startedAtMs'))
      .select(sql<number>`(extract(epoch from finished_at) * 1000)::float8`.as('finishedAtMs'))
      .select(sql<VerificationCounts>`result->'counts'`.as('counts'))
      .select(sql<number>`(result->>'discrepancyCount')::float8`.as('discrepancyCount'))
      .select(
        sql<readonly Discrepancy[]>`(
          select coalesce(json_agg(discrepancy order by n), '[]')
          from json_array_elements(result->'discrepancies') with ordinality as listed (discrepancy, n)
          where ${discrepanciesMax}::int is null or n <= ${discrepanciesMax}
        )`.as('discrepancies'),
      );
  }
}
