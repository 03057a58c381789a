import { sql, type Kysely } from 'kysely';
import {
  deliveryJob,
  type DeliveryOutcome,
  type DueDeliveries,
  type DueDelivery,
  type EndpointHealth,
  type WebhookQueue,
} from '../webhook-queue.ts';
import type { DB } from './database-types.ts';
import { enqueueJobs, senderOf } from './enqueue-jobs.ts';
import { translated } from './errors.ts';

/** Every statement goes by the two keys of the deliveries: what it costs does not grow with the table. */
export class PostgresWebhookQueue implements WebhookQueue {
  readonly #db: Kysely<DB>;

  constructor(db: Kysely<DB>) {
    this.#db = db;
  }

  async due(webhook: string, limit: number): Promise<DueDeliveries | undefined> {
    return await translated(async () => {
      const endpoint = await this.#endpoint(webhook);
      if (endpoint === undefined) return undefined;
      const { secret, retiredSecret, ...rest } = endpoint;
      const secrets = retiredSecret === null ? [secret] : [secret, retiredSecret];
      const idle = rest.disabledBecause !== null || rest.resting;
      return { ...rest, secrets, deliveries: idle ? [] : await this.#deliveries(webhook, limit) };
    });
  }

  async record(
    webhook: string,
    outcomes: readonly DeliveryOutcome[],
    { well, restMs }: EndpointHealth,
  ): Promise<void> {
    await translated(
      async () =>
        await sql`
          with outcome as (
            select * from unnest(
              ${outcomes.map(({ position }) => position)}::bigint[],
              ${outcomes.map(({ status }) => status)}::text[],
              ${outcomes.map(({ retryInMs }) => retryInMs)}::bigint[],
              ${outcomes.map(({ durationMs }) => durationMs)}::integer[],
              ${outcomes.map(({ responseStatus }) => responseStatus)}::smallint[],
              ${outcomes.map(({ responseBody }) => responseBody)}::text[],
              ${outcomes.map(({ error }) => error)}::text[]
            ) as o (position, status, retry_in_ms, duration_ms, response_status, response_body, error)
          ), kept as (
            update webhook_deliveries as delivery
            set status = outcome.status,
              attempts = attempts + 1,
              next_attempt_at = clock_timestamp() + outcome.retry_in_ms * interval '1 ms',
              attempted_at = clock_timestamp(),
              duration_ms = outcome.duration_ms,
              response_status = outcome.response_status,
              response_body = outcome.response_body,
              error = outcome.error,
              finished_at = case when outcome.status <> 'pending' then clock_timestamp() end
            from outcome
            where delivery.webhook = ${webhook} and delivery.position = outcome.position
              and delivery.status = 'pending'
          )
          update webhooks
          set failing_since = case when ${well}::boolean then null else coalesce(failing_since, clock_timestamp()) end,
            resting_until = case when ${restMs}::bigint > 0 then clock_timestamp() + ${restMs}::bigint * interval '1 ms' end
          where id = ${webhook}
            and (not ${well}::boolean or ${restMs}::bigint > 0 or failing_since is not null or resting_until is not null)`.execute(
          this.#db,
        ),
    );
  }

  async disable(webhook: string, because: string): Promise<void> {
    await translated(
      async () =>
        await this.#db
          .updateTable('webhooks')
          .set({ disabled_at: sql`clock_timestamp()`, disabled_because: because, resting_until: null })
          .where('id', '=', webhook)
          .where('disabled_at', 'is', null)
          .execute(),
    );
  }

  async bury(webhook: string, because: string, limit: number): Promise<number> {
    return await this.#count(sql`
      update webhook_deliveries
      set status = 'dead', next_attempt_at = null, finished_at = clock_timestamp(), error = ${because}
      where webhook = ${webhook} and status = 'pending' and position = any (array(
        select position from webhook_deliveries
        where webhook = ${webhook} and status = 'pending'
        order by next_attempt_at, position limit ${limit}))`);
  }

  async forget(webhook: string, limit: number): Promise<number> {
    return await this.#count(sql`
      delete from webhook_deliveries
      where webhook = ${webhook} and position = any (array(
        select position from webhook_deliveries where webhook = ${webhook} order by position limit ${limit}))`);
  }

  async scheduleNext(webhook: string): Promise<void> {
    await translated(async () => {
      const { rows } = await sql<{ atMs: number }>`
        select (extract(epoch from greatest(next.next_attempt_at, webhooks.resting_until)) * 1000)::float8 as "atMs"
        from webhooks, lateral (
          select next_attempt_at from webhook_deliveries
          where webhook = webhooks.id and status = 'pending'
          order by next_attempt_at, position limit 1
        ) as next
        where id = ${webhook}`.execute(this.#db);
      const [next] = rows;
      if (next !== undefined) await this.#enqueue([deliveryJob(webhook, next.atMs, true)]);
    });
  }

  async wakeOverdue(overdueMs: number): Promise<readonly string[]> {
    return await translated(async () => {
      const { rows } = await sql<{ id: string }>`
        select id from webhooks
        where (resting_until is null or resting_until < now()) and exists (
          select from webhook_deliveries
          where webhook = webhooks.id and status = 'pending'
            and next_attempt_at < now() - ${overdueMs}::bigint * interval '1 ms')
        order by id`.execute(this.#db);
      await this.#enqueue(rows.map(({ id }) => deliveryJob(id, null)));
      return rows.map(({ id }) => id);
    });
  }

  async prune(retentionMs: number, limit: number, signal: AbortSignal): Promise<number> {
    let pruned = 0;
    for (const { webhook, gone } of await this.#delivered()) {
      for (let after: number | null = -1; after !== null && !signal.aborted;) {
        if (gone) {
          const forgotten = await this.forget(webhook, limit);
          pruned += forgotten;
          after = forgotten < limit ? null : after;
        } else {
          const page = await this.#prunePage(webhook, { after, limit, retentionMs });
          pruned += page.deleted;
          after = page.end ? null : page.last;
        }
      }
    }
    return pruned;
  }

  async #endpoint(webhook: string) {
    return await this.#db
      .selectFrom('webhooks')
      .select(['url', 'secret', 'disabled_because as disabledBecause'])
      .select([
        sql<string | null>`case when retired_until > clock_timestamp() then retired_secret end`.as(
          'retiredSecret',
        ),
        sql<boolean>`coalesce(resting_until > clock_timestamp(), false)`.as('resting'),
        sql<number | null>`(extract(epoch from clock_timestamp() - failing_since) * 1000)::float8`.as(
          'failingForMs',
        ),
      ])
      .where('id', '=', webhook)
      .executeTakeFirst();
  }

  async #deliveries(webhook: string, limit: number): Promise<readonly DueDelivery[]> {
    const { rows } = await sql<DueDelivery>`
      select due.position, due.operation, type, (extract(epoch from at) * 1000)::float8 as "atMs",
        receipt::text as receipt, due.attempts
      from (
        select position, operation, attempts, next_attempt_at from webhook_deliveries
        where webhook = ${webhook} and status = 'pending' and next_attempt_at <= now()
        order by next_attempt_at, position limit ${limit}
      ) as due, lateral (
        select type, at, receipt from operations where id = due.operation limit 1
      ) as operation
      order by due.next_attempt_at, due.position`.execute(this.#db);
    return rows;
  }

  /** Whose deliveries there are, by one index probe each. */
  async #delivered(): Promise<readonly { webhook: string; gone: boolean }[]> {
    return await translated(async () => {
      const { rows } = await sql<{ webhook: string; gone: boolean }>`
        with recursive delivered (webhook) as (
          (select webhook from webhook_deliveries order by webhook limit 1)
          union all
          select (
            select webhook from webhook_deliveries
            where webhook > delivered.webhook order by webhook limit 1)
          from delivered where delivered.webhook is not null
        )
        select webhook, not exists (select from webhooks where id = webhook) as gone
        from delivered where webhook is not null`.execute(this.#db);
      return rows;
    });
  }

  /** Goes through the deliveries from the oldest on, past those that are still pending, to the first that is young. */
  async #prunePage(
    webhook: string,
    { after, limit, retentionMs }: { after: number; limit: number; retentionMs: number },
  ): Promise<{ last: number | null; deleted: number; end: boolean }> {
    return await translated(async () => {
      const { rows } = await sql<{ last: number | null; deleted: number; end: boolean }>`
        with page as (
          select position, finished_at, created_at >= now() - ${retentionMs}::bigint * interval '1 ms' as young
          from webhook_deliveries where webhook = ${webhook} and position > ${after} order by position limit ${limit}
        ), deleted as (
          delete from webhook_deliveries
          where webhook = ${webhook} and position = any (array(
            select position from page where finished_at < now() - ${retentionMs}::bigint * interval '1 ms'))
          returning 1
        )
        select max(position) as last, (select count(*) from deleted) as deleted,
          count(*) < ${limit} or bool_or(young) as end
        from page`.execute(this.#db);
      return rows[0] ?? { last: null, deleted: 0, end: true };
    });
  }

  async #enqueue(jobs: readonly ReturnType<typeof deliveryJob>[]): Promise<void> {
    await this.#db.transaction().execute(async (transaction) => {
      await enqueueJobs(senderOf(transaction), jobs);
    });
  }

  async #count(statement: ReturnType<typeof sql>): Promise<number> {
    return await translated(async () => {
      const { numAffectedRows = 0n } = await statement.execute(this.#db);
      return Number(numAffectedRows);
    });
  }
}
