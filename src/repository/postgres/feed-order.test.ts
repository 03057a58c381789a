import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts';
import { operationRecord } from '../../../test/support/operation-records.ts';
import { query } from '../../../test/support/query.ts';
import { chooseSeed, Random } from '../../../test/support/random.ts';
import { postgresSettings } from '../../../test/support/repositories.ts';
import type { FeedItem } from '../repository.ts';
import { PostgresRepository } from './repository.ts';
import { savings } from './savings.ts';
import * as statements from './statements.ts';

// What a follower is promised while transactions that were numbered early commit late, and strangers hold theirs open.

let database: TestDatabase;
let repository: PostgresRepository;
const sessions: pg.Client[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
  repository = PostgresRepository.open(postgresSettings(database.url, 'under test'), () => undefined);
});

afterEach(async () => {
  for (const session of sessions.splice(0)) await session.end();
  await repository.close();
});

async function session(url = database.url): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  sessions.push(client);
  await client.connect();
  return client;
}

/** An operation that is numbered, and whose transaction goes on: as the service sends it, without the commit. */
async function numbered(): Promise<{ receipt: string; end: (how: 'commit' | 'rollback') => Promise<void> }> {
  const client = await session();
  const operation = operationRecord('/listings/a');
  await client.query('begin');
  for (const { statement, values } of savings({ operations: [operation] }))
    await client.query(statement.text, [...values]);
  return {
    receipt: operation.receipt,
    end: async (how) => {
      await client.query(how);
    },
  };
}

async function keep(): Promise<string> {
  const operation = operationRecord('/listings/a');
  await repository.transaction((tx) => {
    tx.save({ operations: [operation] });
    return Promise.resolve();
  });
  return operation.receipt;
}

/** Reads on from where it is, each time it is asked. */
class Reader {
  readonly seen: string[] = [];
  readonly #read: (after: number) => Promise<readonly FeedItem[]>;
  #after = 0;

  constructor(read: (after: number) => Promise<readonly FeedItem[]>) {
    this.#read = read;
  }

  async readOn(): Promise<void> {
    const items = await this.#read(this.#after);
    this.#after = items.at(-1)?.position ?? this.#after;
    this.seen.push(...items.map(({ receipt }) => receipt));
  }
}

async function rowsAfter(after: number): Promise<FeedItem[]> {
  const text = `select position::int, receipt::text from operations where position > $1 order by position`;
  return (await query(database.url, text, [after])).rows as unknown as FeedItem[];
}

test('transactions commit and give up in any order: who reads to the horizon sees all in order, who does not misses some', async () => {
  const random = new Random(chooseSeed('slow commits'));
  const follower = new Reader(async (after) => await repository.feed(after, 5));
  const careless = new Reader(rowsAfter);
  const underWay: Awaited<ReturnType<typeof numbered>>[] = [];
  for (let i = 0; i < 24; i += 1) underWay.push(await numbered());
  const kept = new Set(underWay.map(({ receipt }) => receipt));
  for (let left = underWay.length; left > 0; left -= 1) {
    const [one] = underWay.splice(random.between(0, left - 1), 1);
    const how = random.chance(0.3) ? 'rollback' : 'commit';
    await one?.end(how);
    if (how === 'rollback') kept.delete(one?.receipt ?? '');
    // Others are numbered and commit at once meanwhile.
    if (random.chance(0.5)) kept.add(await keep());
    await Promise.all([follower.readOn(), careless.readOn()]);
  }
  for (let reads = 0; reads < 12; reads += 1) await Promise.all([follower.readOn(), careless.readOn()]);
  const table = (await rowsAfter(0)).map(({ receipt }) => receipt);
  expect(new Set(table)).toEqual(kept);
  expect(follower.seen).toEqual(table);
  // The control: without the horizon, what commits late is passed over for good.
  expect(careless.seen.length).toBeLessThan(table.length);
});

test('a stranger’s transaction holds nothing up, in another database or in this one', async () => {
  const first = await keep();
  const elsewhere = await session((await createTestDatabase()).url);
  const here = await session();
  for (const stranger of [elsewhere, here]) {
    await stranger.query('begin isolation level repeatable read');
    // An id of its own, which holds back every snapshot of the server, and a snapshot that stays.
    await stranger.query('select pg_current_xact_id(), count(*) from operations');
  }
  // In another database even the very keys of ours, shared and for itself alone.
  await elsewhere.query(
    `select pg_advisory_xact_lock((18502::bigint << 48) | key) from generate_series(0, 3) as key`,
  );
  await elsewhere.query(statements.announcePositions.text);
  const receipts = [first, await keep(), await keep(), await keep()];
  const items = await repository.feed(0, 99);
  expect(items.map(({ receipt }) => receipt)).toEqual(receipts);
  expect(await repository.feedEnd()).toBe(items.at(-1)?.position);
  // The control: by the ids of transactions, as is usually done, none that came after the strangers could be shown.
  const below = `select count(*)::int as count from operations
    where position > $1
      and xmin::text::bigint < (pg_snapshot_xmin(pg_current_snapshot())::text::numeric % 4294967296)::bigint`;
  expect((await query(database.url, below, [items[0]?.position])).rows).toEqual([{ count: 0 }]);
});
