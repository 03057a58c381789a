import type { ConsumerCursors, CursorTurn, FeedOperation } from '../../src/repository/consumers.ts';
import { enqueueJobs } from '../../src/repository/postgres/enqueue-jobs.ts';
import type { JobRequest } from '../../src/repository/jobs.ts';
import type { PostgresRepository } from '../../src/repository/postgres/repository.ts';
import pg from 'pg';

/** For negative controls: turns that nobody has locked. Whoever reads the cursor works what comes after it. */
export function unlockedCursors(repository: PostgresRepository, url: string): ConsumerCursors {
  const { consumers } = repository;
  return {
    ensure: async (consumer, from) => {
      await consumers.ensure(consumer, from);
    },
    take: async ({ consumer }, work) => {
      const end = await repository.feedEnd();
      const position = (await consumers.list()).find(({ name }) => name === consumer)?.position ?? 0;
      const turn = new UnlockedTurn(repository, position, end);
      const result = await work(turn);
      await turn.keep(url, consumer);
      return result;
    },
    noteFailure: async (consumer, failure) => {
      await consumers.noteFailure(consumer, failure);
    },
    noteRetryFailure: async (consumer, position, reason) => {
      await consumers.noteRetryFailure(consumer, position, reason);
    },
    list: async () => await consumers.list(),
    parked: async (consumer, page) => await consumers.parked(consumer, page),
    retryParked: async (consumer, operation) => await consumers.retryParked(consumer, operation),
  };
}

class UnlockedTurn implements CursorTurn {
  readonly cursor;
  readonly end: number;
  readonly retry = undefined;
  readonly #repository: PostgresRepository;
  readonly #jobs: JobRequest[] = [];
  #position: number;

  constructor(repository: PostgresRepository, position: number, end: number) {
    this.cursor = { position, oneByOneUntil: 0, attempts: 0, error: null, failedMsAgo: null };
    this.end = end;
    this.#repository = repository;
    this.#position = position;
  }

  get gathered(): number {
    return this.#jobs.length;
  }

  async read(after: number, limit: number): Promise<readonly FeedOperation[]> {
    const items = await this.#repository.feed(after, limit, this.end);
    return items.map(({ position, receipt }) => {
      const { id } = JSON.parse(receipt) as { id: string };
      return { position, id, type: 'grant', home: '/listings/a', atMs: 0, receipt };
    });
  }

  moveTo(position: number): void {
    this.#position = position;
  }

  enqueue(jobs: readonly JobRequest[]): void {
    this.#jobs.push(...jobs);
  }

  park(): void {
    throw new Error('nothing is parked here');
  }

  deliver(): void {
    throw new Error('nothing is delivered here');
  }

  unpark(): void {
    throw new Error('nothing is parked here');
  }

  async keep(url: string, consumer: string): Promise<void> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      await client.query('begin');
      await enqueueJobs(client, this.#jobs);
      await client.query('update consumers set position = $2 where name = $1', [consumer, this.#position]);
      await client.query('commit');
    } finally {
      await client.end();
    }
  }
}
