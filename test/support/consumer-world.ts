import { Pacer } from '../../src/feed/pacer.ts';
import { ConsumerLoop, type ConsumerSettings } from '../../src/feed/consumer-loop.ts';
import type { Consumer, PageWork } from '../../src/feed/consumer.ts';
import { FeedTail } from '../../src/feed/tail.ts';
import type { ConsumerCursors, FeedOperation, Turn } from '../../src/repository/consumers.ts';
import { PostgresRepository } from '../../src/repository/postgres/repository.ts';
import { createTestDatabase } from './database.ts';
import { operationRecord } from './operation-records.ts';
import { query } from './query.ts';
import { postgresSettings } from './repositories.ts';
import { until } from './until.ts';

export const consumerSettings: ConsumerSettings = {
  pageRows: 4,
  attemptsMax: 3,
  backoffMs: 1,
  backoffMsMax: 4,
  turnTimeoutMs: 30_000,
  // A turn has one page.
  turnMs: 0,
  lookAgainMs: 20,
};

/** A database with its feed, and any number of replicas that work the consumer of `recording` in it. */
export class ConsumerWorld {
  readonly url: string;
  readonly #replicas = new Set<ConsumingReplica>();

  private constructor(url: string) {
    this.url = url;
  }

  static async start(): Promise<ConsumerWorld> {
    const { url } = await createTestDatabase();
    return new ConsumerWorld(url);
  }

  replica(name: string): ConsumingReplica {
    const replica = new ConsumingReplica(this.url, name);
    this.#replicas.add(replica);
    return replica;
  }

  /** Commits operations, one after the other; their ids. */
  async operate(count: number): Promise<string[]> {
    const [first] = this.#replicas;
    const { repository } = first ?? this.replica('writer');
    const records = Array.from({ length: count }, () => operationRecord('/listings/a'));
    for (const record of records)
      await repository.transaction((tx) => {
        tx.save({ operations: [record] });
        return Promise.resolve();
      });
    return records.map(({ id }) => id);
  }

  /** The operations that the effects are of, in the order in which they were kept. */
  async recorded(): Promise<string[]> {
    const { rows } = await query(
      this.url,
      `select payload ->> 'id' as id from graphile_worker._private_jobs order by graphile_worker._private_jobs.id`,
    );
    return rows.map(({ id }) => String(id));
  }

  async allRecorded(ids: readonly string[]): Promise<void> {
    await until('all were handled', async () => (await this.recorded()).length >= ids.length);
  }

  async position(): Promise<unknown> {
    const { rows } = await query(this.url, `select position::int from consumers`);
    return rows[0]?.['position'];
  }

  async close(): Promise<void> {
    await Promise.all([...this.#replicas].map(async (replica) => await replica.close()));
  }
}

/** What one replica has of it: connections, the tail, and a loop for each consumer that it is given. */
export class ConsumingReplica {
  readonly repository: PostgresRepository;
  readonly warnings: object[] = [];
  readonly #stopping = new AbortController();
  readonly #aborted = new AbortController();
  readonly #tail: FeedTail;
  readonly #name: string;
  readonly #running: Promise<void>[] = [];
  #closed: Promise<void> | undefined;

  constructor(url: string, name: string) {
    this.#name = name;
    this.repository = PostgresRepository.open(postgresSettings(url, name), () => undefined);
    this.#tail = new FeedTail({ readEnd: async () => await this.repository.feedEnd(), pollMs: 20 });
    this.#running.push(this.#tail.run(this.#stopping.signal));
  }

  work(
    consumer: Consumer,
    {
      cursors = this.repository.consumers,
      pacer = new Pacer({ inFlight: () => 0, yieldAt: 0 }),
      ...changed
    }: Partial<ConsumerSettings> & { cursors?: ConsumerCursors; pacer?: Pacer } = {},
  ): void {
    const loop = new ConsumerLoop({
      consumer,
      cursors,
      tail: this.#tail,
      pacer,
      owner: this.#name,
      settings: { ...consumerSettings, ...changed },
      log: { warn: (fields) => this.warnings.push(fields), error: (fields) => this.warnings.push(fields) },
    });
    this.#running.push(loop.run({ stopping: this.#stopping.signal, aborted: this.#aborted.signal }));
  }

  abort(): void {
    this.#stopping.abort();
    this.#aborted.abort();
  }

  /** Stops it; again: the same stop. */
  async close(): Promise<void> {
    this.#stopping.abort();
    this.#closed ??= Promise.all(this.#running).then(async () => await this.repository.close());
    await this.#closed;
  }
}

/** A consumer whose effect is a job for each operation: kept with the cursor's move, or not at all. */
export function recording(
  handle: (operations: readonly FeedOperation[], turn: Turn, page: PageWork) => Promise<void> | void = () =>
    undefined,
): Consumer {
  return {
    name: 'recording',
    from: 'beginning',
    prepare: () =>
      Promise.resolve(async (operations, turn, page) => {
        turn.enqueue(operations.map(({ id }) => ({ name: 'recorded', payload: { id } })));
        await handle(operations, turn, page);
      }),
  };
}

/** A page with no other background work beside it. */
export function alone(signal = new AbortController().signal): PageWork {
  return { outOfOrder: false, signal, giveWay: () => undefined };
}
