import { randomUUID } from 'node:crypto';
import { afterEach } from 'vitest';
import { Pacer } from '../../src/feed/pacer.ts';
import { Deliverer, type DelivererSettings } from '../../src/feed/webhooks/deliverer.ts';
import { Sender, type SenderSettings } from '../../src/feed/webhooks/sender.ts';
import { WebhookKeeper } from '../../src/feed/webhooks/webhook-keeper.ts';
import { WebhooksConsumer } from '../../src/feed/webhooks/webhooks-consumer.ts';
import { newOperationId } from '../../src/execution/operation-id.ts';
import { PostgresRepository } from '../../src/repository/postgres/repository.ts';
import type { Delivery } from '../../src/repository/webhook-deliveries.ts';
import type { Webhook } from '../../src/repository/webhooks.ts';
import { alone } from './consumer-world.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { query } from './query.ts';
import { postgresSettings } from './repositories.ts';

const opened: WebhookWorld[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((world) => world.close()));
});

/**
 * A database with operations, endpoints and what is delivered to them; the consumer and the job of webhooks are run by
 * the test, when it wants. Closed after the test.
 */
export class WebhookWorld {
  readonly database: TestDatabase;
  readonly repository: PostgresRepository;
  readonly keeper: WebhookKeeper;
  readonly consumer: WebhooksConsumer;
  readonly logged: { fields: object; message: string }[] = [];
  readonly #senders: Sender[] = [];
  #closed: Promise<void> | undefined;

  static async open(): Promise<WebhookWorld> {
    const world = new WebhookWorld(await createTestDatabase());
    opened.push(world);
    return world;
  }

  private constructor(database: TestDatabase) {
    this.database = database;
    this.repository = PostgresRepository.open(postgresSettings(database.url, 'webhooks'), () => undefined);
    const { webhooks } = this.repository;
    this.keeper = new WebhookKeeper({ webhooks, newId: newOperationId, allowPrivate: true });
    this.consumer = new WebhooksConsumer({ webhooks });
  }

  /** Registers an endpoint at this URL. */
  async register(
    url: string,
    types: readonly string[] | null = null,
  ): Promise<{ id: string; secret: string; webhook: Webhook }> {
    const outcome = await this.keeper.create({ url, types });
    if (outcome.kind !== 'made') throw new Error(`it was not registered: ${outcome.kind}`);
    return { id: outcome.webhook.id, secret: outcome.secret, webhook: outcome.webhook };
  }

  /** So many new operations, as they stand in the feed. Answers their ids. */
  async operate(count: number, type = 'grant'): Promise<string[]> {
    const ids = Array.from({ length: count }, () => randomUUID());
    await query(
      this.database.url,
      `insert into operations (id, bucket, position, home, type, at, actor, receipt)
       select id, 0, nextval('operation_position'), 'p1', $2, '2026-11-21T10:00:00.123Z', 'key:test',
         json_build_object('id', id, 'type', $2::text)
       from unnest($1::uuid[]) with ordinality as new (id, n) order by n`,
      [ids, type],
    );
    return ids;
  }

  /** One turn of the consumer: writes down what endpoints are to get of everything that it has not handled. */
  async follow(): Promise<void> {
    const { consumers } = this.repository;
    await consumers.ensure('webhooks', this.consumer.from);
    await consumers.take({ consumer: 'webhooks', owner: 'test', timeoutMs: 10_000 }, async (turn) => {
      const handle = await this.consumer.prepare();
      await handle?.(await turn.read(turn.cursor.position, 10_000), turn, alone());
      turn.moveTo(turn.end);
    });
  }

  deliverer(
    settings: Partial<DelivererSettings> = {},
    sending: Partial<SenderSettings> = {},
    pacer = new Pacer({ inFlight: () => 0, yieldAt: 0 }),
  ): Deliverer {
    const sender = new Sender({ timeoutMs: 5000, allowPrivate: true, ...sending });
    this.#senders.push(sender);
    const note = (fields: object, message: string): void => {
      this.logged.push({ fields, message });
    };
    return new Deliverer({
      queue: this.repository.webhookQueue,
      sender,
      pacer,
      settings: {
        concurrency: 8,
        retries: { attemptsMax: 3, delaysMs: [0], random: () => 0 },
        disableAfterMs: 1_000_000,
        ...settings,
      },
      log: { info: note, warn: note },
    });
  }

  /** One run of the job. */
  async deliver(id: string, deliverer: Deliverer = this.deliverer()): Promise<void> {
    await deliverer.run(id, new AbortController().signal);
  }

  /** An endpoint's deliveries, newest first. */
  async deliveries(id: string): Promise<readonly Delivery[]> {
    return await this.repository.webhookDeliveries.list(id, { before: null, limit: 1000, dead: false });
  }

  /** The jobs that are asked for, and how far off they are. */
  async jobs(): Promise<{ key: string; webhook: string; inMs: number }[]> {
    const { rows } = await query(
      this.database.url,
      `select key, payload->>'webhook' as webhook, (extract(epoch from run_at - now()) * 1000)::float8 as "inMs"
       from graphile_worker._private_jobs order by key`,
    );
    return rows as { key: string; webhook: string; inMs: number }[];
  }

  /** May be called twice. */
  async close(): Promise<void> {
    for (const sender of this.#senders) sender.close();
    await (this.#closed ??= this.repository.close());
  }
}
