import { sql, type Kysely } from 'kysely';
import type { DeliveriesQuery, Delivery, DeliveryStatus, WebhookDeliveries } from '../webhook-deliveries.ts';
import { deliveryJob } from '../webhook-queue.ts';
import type { DB } from './database-types.ts';
import { enqueueJobs, senderOf } from './enqueue-jobs.ts';
import { translated } from './errors.ts';

const columns = [
  'position',
  'operation',
  sql<DeliveryStatus>`status`.as('status'),
  'attempts',
  sql<number>`(extract(epoch from created_at) * 1000)::float8`.as('createdAtMs'),
  sql<number | null>`(extract(epoch from next_attempt_at) * 1000)::float8`.as('nextAttemptAtMs'),
  sql<number | null>`(extract(epoch from attempted_at) * 1000)::float8`.as('atMs'),
  sql<number | null>`duration_ms`.as('durationMs'),
  'response_status as responseStatus',
  'response_body as responseBody',
  'error',
  sql<number | null>`(extract(epoch from finished_at) * 1000)::float8`.as('finishedAtMs'),
] as const;

export class PostgresWebhookDeliveries implements WebhookDeliveries {
  readonly #db: Kysely<DB>;

  constructor(db: Kysely<DB>) {
    this.#db = db;
  }

  async list(webhook: string, { before, limit, dead }: DeliveriesQuery): Promise<readonly Delivery[]> {
    return await translated(async () => {
      let page = this.#db
        .selectFrom('webhook_deliveries')
        .select(columns)
        .where('webhook', '=', webhook)
        .orderBy('position', 'desc')
        .limit(limit);
      if (before !== null) page = page.where('position', '<', before);
      // As a literal: a partial index is for what is known when it is planned.
      if (dead) page = page.where(sql<boolean>`status = 'dead'`);
      return (await page.execute()).map(deliveryOf);
    });
  }

  async retry(webhook: string, operation: string): Promise<Delivery | undefined> {
    return await translated(
      async () =>
        await this.#db.transaction().execute(async (transaction) => {
          // The endpoint before its deliveries, as whoever records outcomes has them: the two would wait for each other.
          await transaction
            .selectFrom('webhooks')
            .select('id')
            .where('id', '=', webhook)
            .forNoKeyUpdate()
            .execute();
          const row = await transaction
            .updateTable('webhook_deliveries')
            .set({ status: 'pending', next_attempt_at: sql`clock_timestamp()`, finished_at: null })
            .where('webhook', '=', webhook)
            // By the operation's own key: that of the deliveries is its position.
            .where('position', '=', (eb) =>
              eb.selectFrom('operations').select('position').where('id', '=', operation),
            )
            .returning(columns)
            .executeTakeFirst();
          if (row === undefined) return undefined;
          // Whoever asks for this wants to see now whether the endpoint is there again.
          await transaction
            .updateTable('webhooks')
            .set({ resting_until: null })
            .where('id', '=', webhook)
            .where('resting_until', 'is not', null)
            .execute();
          await enqueueJobs(senderOf(transaction), [deliveryJob(webhook, null)]);
          return deliveryOf(row);
        }),
    );
  }
}

interface Row extends Omit<Delivery, 'lastAttempt'> {
  readonly atMs: number | null;
  readonly durationMs: number | null;
  readonly responseStatus: number | null;
  readonly responseBody: string | null;
  readonly error: string | null;
}

function deliveryOf(row: Row): Delivery {
  const { atMs, durationMs, responseStatus, responseBody, error, ...delivery } = row;
  const lastAttempt =
    atMs === null || durationMs === null ? null : { atMs, durationMs, responseStatus, responseBody, error };
  return { ...delivery, lastAttempt };
}
