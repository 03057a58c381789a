import { expect, test } from 'vitest';
import { Gate } from '../../test/support/gate.ts';
import { operationRecord } from '../../test/support/operation-records.ts';
import { until } from '../../test/support/until.ts';
import { UnavailableError } from '../repository/errors.ts';
import { MemoryDatabase } from '../repository/memory/memory-database.ts';
import { MemoryRepository } from '../repository/memory/memory-repository.ts';
import type { FeedItem } from '../repository/repository.ts';
import { FeedPages } from './feed-pages.ts';
import { Follower } from './follower.ts';
import { FeedTail } from './tail.ts';

/** A feed in memory, a replica that watches it, and what is asked of it. */
class Feed {
  readonly #repository = new MemoryRepository({ database: new MemoryDatabase(), name: 'one' });
  readonly tail = new FeedTail({ readEnd: async () => await this.#repository.feedEnd(), pollMs: 20 });
  readonly pages: FeedPages;
  readonly #stop = new AbortController();
  reads = 0;
  down = false;
  /** Reads wait for it. */
  slow: Gate | undefined;

  constructor() {
    this.pages = new FeedPages({
      feedEnd: async () => await this.#repository.feedEnd(),
      feed: async (after, limit, end) => {
        this.reads += 1;
        if (this.down) throw new UnavailableError('the database is away');
        await this.slow?.opened;
        return await this.#repository.feed(after, limit, end);
      },
    });
  }

  async watched(test: () => Promise<void>): Promise<void> {
    const watching = this.tail.run(this.#stop.signal);
    try {
      await test();
    } finally {
      this.#stop.abort();
      await watching;
    }
  }

  /** Puts so many operations into it; their receipts. */
  async grow(count: number): Promise<string[]> {
    const operations = Array.from({ length: count }, () => operationRecord('/listings/a'));
    await this.#repository.transaction((tx) => {
      tx.save({ operations });
      return Promise.resolve();
    });
    this.tail.committed();
    return operations.map(({ receipt }) => receipt);
  }

  /** Numbers an operation whose transaction then fails. */
  async giveUpNumbers(): Promise<void> {
    const operation = operationRecord('/listings/a');
    const twice = { operations: [operation, operation] };
    await expect(
      this.#repository.transaction((tx) => {
        tx.save(twice);
        return Promise.resolve();
      }),
    ).rejects.toThrow();
  }

  async follower(settings = { heartbeatMs: 10_000, giveUpMs: 10_000 }): Promise<Follower> {
    const follower = new Follower(0, { pages: this.pages, tail: this.tail, settings });
    await follower.begin();
    return follower;
  }
}

async function next(pages: AsyncGenerator<readonly FeedItem[], void>): Promise<string[] | null> {
  const { value, done } = await pages.next();
  return done === true ? null : value.map(({ receipt }) => receipt);
}

test('a page is read when the one before was taken, and not before', async () => {
  const feed = new Feed();
  await feed.watched(async () => {
    const receipts = await feed.grow(1000);
    const follower = await feed.follower();
    const pages = follower.pages();
    expect(await next(pages)).toEqual(receipts.slice(0, 64));
    expect(feed.reads).toBe(1);
    expect(await next(pages)).toEqual(receipts.slice(64, 128));
    expect(feed.reads).toBe(2);
    follower.leave();
    expect(await next(pages)).toBeNull();
    expect(feed.reads).toBe(2);
  });
});

test('those who are at the same place share one read', async () => {
  const feed = new Feed();
  await feed.watched(async () => {
    const followers = await Promise.all(Array.from({ length: 50 }, async () => await feed.follower()));
    const waiting = followers.map((follower) => next(follower.pages()));
    feed.reads = 0;
    const receipts = await feed.grow(3);
    for (const seen of await Promise.all(waiting)) expect(seen).toEqual(receipts);
    expect(feed.reads).toBe(1);
  });
});

test('however many catch up, two pages are read at once', async () => {
  const feed = new Feed();
  const receipts = await feed.grow(500);
  feed.slow = new Gate();
  feed.reads = 0;
  const read = Array.from({ length: 20 }, async (_, i) => await feed.pages.read(i, 500));
  await until('two are under way', () => feed.reads === 2);
  await new Promise(setImmediate);
  expect(feed.reads).toBe(2);
  feed.slow.open();
  const pages = await Promise.all(read);
  expect(pages.map(({ items }) => items[0]?.receipt)).toEqual(receipts.slice(0, 20));
  expect(feed.reads).toBe(20);
});

test('numbers that were given up are passed over, and not asked for again and again', async () => {
  const feed = new Feed();
  await feed.watched(async () => {
    const [first] = await feed.grow(1);
    await feed.giveUpNumbers();
    const pages = (await feed.follower({ heartbeatMs: 100, giveUpMs: 10_000 })).pages();
    expect(await next(pages)).toEqual([first]);
    await feed.giveUpNumbers();
    feed.reads = 0;
    expect(await next(pages)).toEqual([]);
    expect(await next(pages)).toEqual([]);
    expect(feed.reads).toBeLessThanOrEqual(1);
    const second = await feed.grow(1);
    expect(await next(pages)).toEqual(second);
  });
});

test('while the feed can’t be read there are heartbeats, and after that nothing is missing', async () => {
  const feed = new Feed();
  await feed.watched(async () => {
    const pages = (await feed.follower({ heartbeatMs: 50, giveUpMs: 60_000 })).pages();
    expect(await next(pages)).toEqual([]);
    feed.down = true;
    const receipts = await feed.grow(2);
    expect(await next(pages)).toEqual([]);
    expect(await next(pages)).toEqual([]);
    expect(feed.reads).toBeGreaterThan(1);
    feed.down = false;
    let seen: string[] | null = [];
    while (seen?.length === 0) seen = await next(pages);
    expect(seen).toEqual(receipts);
  });
});

test('one whose feed can’t be read for too long is let go of', async () => {
  const feed = new Feed();
  await feed.watched(async () => {
    const pages = (await feed.follower({ heartbeatMs: 10_000, giveUpMs: 30 })).pages();
    await feed.grow(1);
    feed.down = true;
    await expect(next(pages)).rejects.toThrow(UnavailableError);
  });
});

test('one that is told to finish while it waits still has what came meanwhile, and then ends', async () => {
  const feed = new Feed();
  // Nobody watches the feed any more: it is asked for once, at the end.
  const follower = await feed.follower();
  const pages = follower.pages();
  const waiting = next(pages);
  const receipts = await feed.grow(70);
  follower.finish();
  expect(await waiting).toEqual(receipts.slice(0, 64));
  expect(await next(pages)).toEqual(receipts.slice(64));
  expect(await next(pages)).toBeNull();
});
