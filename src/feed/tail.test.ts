import { afterEach, expect, test } from 'vitest';
import { Gate } from '../../test/support/gate.ts';
import { until } from '../../test/support/until.ts';
import { FeedTail } from './tail.ts';

const stopping: AbortController[] = [];

afterEach(() => {
  for (const controller of stopping.splice(0)) controller.abort();
});

/** A tail that runs, and what it reads. */
function running({ pollMs = 20 } = {}) {
  const feed = { end: 0, reads: 0, away: false };
  const tail = new FeedTail({
    readEnd: () => {
      feed.reads += 1;
      return feed.away ? Promise.reject(new Error('away')) : Promise.resolve(feed.end);
    },
    pollMs,
  });
  const stop = new AbortController();
  stopping.push(stop);
  return { tail, feed, stop, ended: tail.run(stop.signal) };
}

const never = new AbortController().signal;

test('it resolves when the feed has grown beyond a position, by what others commit', async () => {
  const { tail, feed } = running();
  const [near, far] = [tail.beyond(0, never), tail.beyond(5, never)];
  feed.end = 3;
  expect(await near).toBe(3);
  feed.end = 6;
  expect(await far).toBe(6);
  expect(await tail.beyond(2, never)).toBe(6);
});

test('this replica’s own commits are seen without waiting for a poll', async () => {
  const { tail, feed } = running({ pollMs: 2 ** 30 });
  const grown = tail.beyond(0, never);
  await until('it has looked once', () => feed.reads > 0);
  feed.end = 1;
  tail.committed();
  expect(await grown).toBe(1);
});

test('while nobody waits, nobody looks', async () => {
  const { tail, feed } = running({ pollMs: 20 });
  feed.end = 1;
  await tail.beyond(0, never);
  const { reads } = feed;
  tail.committed();
  await tail.beyondWithin(0, { ms: 1000, signal: never });
  expect(feed.reads).toBe(reads);
});

test('whoever gives up is told so, and is forgotten', async () => {
  const { tail } = running();
  const giveUp = new AbortController();
  const waiting = tail.beyond(0, giveUp.signal);
  giveUp.abort();
  await expect(waiting).rejects.toThrow('aborted');
  await expect(tail.beyond(0, giveUp.signal)).rejects.toThrow('aborted');
  await tail.beyondWithin(0, { ms: 1, signal: never });
});

test('a database that is away is asked again', async () => {
  const { tail, feed } = running();
  feed.away = true;
  const grown = tail.beyond(0, never);
  await until('it was asked twice', () => feed.reads > 1);
  feed.away = false;
  feed.end = 1;
  expect(await grown).toBe(1);
});

test('a stop ends it, also while it waits', async () => {
  const idle = running();
  idle.stop.abort();
  await idle.ended;
  const busy = running({ pollMs: 2 ** 30 });
  const told = new Gate();
  void busy.tail.beyond(0, busy.stop.signal).catch(() => {
    told.open();
  });
  await until('it has looked', () => busy.feed.reads > 0);
  busy.stop.abort();
  await told.opened;
  await busy.ended;
});
