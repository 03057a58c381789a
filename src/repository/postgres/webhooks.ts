import { sql, type Kysely } from 'kysely';
import { deliveryJob } from '../webhook-queue.ts';
import type { NewWebhook, Webhook, Webhooks, WebhookSubscription } from '../webhooks.ts';
import type { DB } from './database-types.ts';
import { enqueueJobs, senderOf } from './enqueue-jobs.ts';
import { translated } from './errors.ts';

/** The secrets are read by nobody but who signs. */
const columns = [
  'id',
  'url',
  'types',
  sql<number>`(extract(epoch from created_at) * 1000)::float8`.as('createdAtMs'),
  sql<
    number | null
  >`(extract(epoch from case when retired_until > clock_timestamp() then retired_until end) * 1000)::float8`.as(
    'retiredSecretUntilMs',
  ),
  sql<number | null>`(extract(epoch from failing_since) * 1000)::float8`.as('failingSinceMs'),
  sql<
    number | null
  >`(extract(epoch from case when resting_until > clock_timestamp() then resting_until end) * 1000)::float8`.as(
    'restingUntilMs',
  ),
  sql<number | null>`(extract(epoch from disabled_at) * 1000)::float8`.as('disabledAtMs'),
  'disabled_because as disabledBecause',
] as const;

export class PostgresWebhooks implements Webhooks {
  readonly #db: Kysely<DB>;

  constructor(db: Kysely<DB>) {
    this.#db = db;
  }

  async create({ id, url, types, secret }: NewWebhook, webhooksMax: number): Promise<Webhook | null> {
    return await translated(
      async () =>
        await this.#db.transaction().execute(async (transaction) => {
          // Two who create the last one at once would not see each other's row.
          await sql`lock table webhooks in share row exclusive mode`.execute(transaction);
          const { count } = await transaction
            .selectFrom('webhooks')
            .select(({ fn }) => fn.countAll<number>().as('count'))
            .executeTakeFirstOrThrow();
          if (count >= webhooksMax) return null;
          const row = await transaction
            .insertInto('webhooks')
            .values({
              id,
              url,
              types: types === null ? null : [...types],
              secret,
              since: sql`(select last_value from operation_position)`,
            })
            .returning(columns)
            .executeTakeFirstOrThrow();
          return webhookOf(row);
        }),
    );
  }

  async find(id: string): Promise<Webhook | undefined> {
    return await translated(async () => {
      const row = await this.#db
        .selectFrom('webhooks')
        .select(columns)
        .where('id', '=', id)
        .executeTakeFirst();
      return row === undefined ? undefined : webhookOf(row);
    });
  }

  async list({
    after,
    limit,
  }: {
    readonly after: string | null;
    readonly limit: number;
  }): Promise<readonly Webhook[]> {
    return await translated(async () => {
      let page = this.#db.selectFrom('webhooks').select(columns).orderBy('id', 'desc').limit(limit);
      if (after !== null) page = page.where('id', '<', after);
      return (await page.execute()).map(webhookOf);
    });
  }

  async enabled(): Promise<readonly WebhookSubscription[]> {
    return await translated(
      async () =>
        await this.#db
          .selectFrom('webhooks')
          .select(['id', 'types', 'since'])
          .select(sql<number | null>`(extract(epoch from resting_until) * 1000)::float8`.as('restingUntilMs'))
          .where('disabled_at', 'is', null)
          // Whoever asks for their jobs locks them in this order.
          .orderBy('id')
          .execute(),
    );
  }

  async remove(id: string): Promise<Webhook | undefined> {
    return await translated(
      async () =>
        await this.#db.transaction().execute(async (transaction) => {
          const row = await transaction
            .deleteFrom('webhooks')
            .where('id', '=', id)
            .returning(columns)
            .executeTakeFirst();
          if (row === undefined) return undefined;
          await enqueueJobs(senderOf(transaction), [deliveryJob(id, null)]);
          return webhookOf(row);
        }),
    );
  }

  async rotateSecret(id: string, secret: string, overlapMs: number): Promise<Webhook | undefined> {
    return await translated(async () => {
      const row = await this.#db
        .updateTable('webhooks')
        .set({
          retired_secret: sql`secret`,
          retired_until: sql`clock_timestamp() + ${overlapMs} * interval '1 ms'`,
          secret,
        })
        .where('id', '=', id)
        .returning(columns)
        .executeTakeFirst();
      return row === undefined ? undefined : webhookOf(row);
    });
  }
}

interface Row extends Omit<Webhook, 'disabled'> {
  readonly disabledAtMs: number | null;
  readonly disabledBecause: string | null;
}

function webhookOf({ disabledAtMs, disabledBecause, ...webhook }: Row): Webhook {
  const disabled =
    disabledAtMs === null || disabledBecause === null
      ? null
      : { atMs: disabledAtMs, because: disabledBecause };
  return { ...webhook, disabled };
}
