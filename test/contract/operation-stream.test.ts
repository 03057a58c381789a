import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { lines, type Api } from '../support/api.ts';
import { readFeed } from '../support/audit.ts';
import { callerWith, makeKey } from '../support/callers.ts';
import { openMarket } from '../support/market.ts';
import { RawConnection } from '../support/raw-http.ts';
import { expectInvalid, expectProblem, ok, receipt, type Page, type Receipt } from '../support/resources.ts';
import { serveReplica, serveReplicas } from '../support/served-replicas.ts';
import { StreamFollower } from '../support/stream-follower.ts';
import { until } from '../support/until.ts';

const path = '/v1/operations/stream';
let api: Api;
let other: Api;
const open = new Set<StreamFollower>();

beforeAll(async () => {
  const { apis } = await serveReplicas(2, { FEED_STREAM_HEARTBEAT: '200ms', FEED_STREAMS_MAX: '3' });
  [api, other] = apis as [Api, Api];
  await openMarket(api);
});

afterEach(() => {
  for (const follower of open) follower.close();
  open.clear();
});

async function follow(options: Parameters<typeof StreamFollower.open>[1] = {}, replica = api) {
  // Places of a test before are given back when their connections are seen to have ended.
  let follower: StreamFollower | undefined;
  await until('there is room', async () => {
    follower = await StreamFollower.open(replica.url, options).catch((error: unknown) => {
      if (String(error).includes('503')) return undefined;
      throw error;
    });
    return follower !== undefined;
  });
  if (follower === undefined) throw new Error('it has been opened');
  open.add(follower);
  return follower;
}

/** The cursor at the end of the feed. */
async function end(): Promise<string> {
  let after = '';
  for (;;) {
    const query = after === '' ? '' : `&after=${encodeURIComponent(after)}`;
    const page = ok<Page<Receipt>>(await api.get(`/v1/operations?limit=200${query}`));
    after = String(page.nextCursor);
    if (page.data.length === 0) return after;
  }
}

test('each event has the receipt word for word, and the cursor of the feed', async () => {
  const after = await end();
  const first = await api.grant('words', { gold: 7, gem: 1 });
  const follower = await follow({ after });
  const second = await api.post('/v1/consumptions', {
    account: 'words',
    assets: lines({ gold: 2 }),
    reason: 'two\nlines: id: 1',
  });
  await follower.seen(2);
  expect(follower.events.map(({ data }) => data)).toEqual([first.text, second.text]);
  expect(new Set(follower.events.map(({ event }) => event))).toEqual(new Set(['operation']));
  const [one, two] = follower.events;
  const query = (cursor = '') => `/v1/operations?after=${encodeURIComponent(cursor)}`;
  expect(ok<Page<Receipt>>(await api.get(query(one?.id)))).toEqual({
    data: [second.body],
    nextCursor: two?.id,
  });
});

test('its head tells everyone on the way to pass it on as it comes, and to keep nothing', async () => {
  const { headers, retries } = await follow({
    headers: { 'accept-encoding': 'br, gzip', 'x-request-id': 'a-follower' },
  });
  expect(headers).toMatchObject({
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    'x-request-id': 'a-follower',
    'transfer-encoding': 'chunked',
    connection: 'close',
  });
  expect(headers['content-encoding']).toBeUndefined();
  await until('it says when to come back', () => retries.length === 1);
  expect(retries[0]).toBeGreaterThanOrEqual(500);
  expect(retries[0]).toBeLessThan(2000);
});

test('without a cursor it begins at the beginning, and then goes on with what comes', async () => {
  const before = await readFeed(api);
  const follower = await follow();
  const made = receipt(await api.grant('beginning', { gold: 1 }));
  await follower.seen(before.length + 1);
  expect(follower.receipts).toEqual([...before, made]);
});

test('what was committed through another replica comes as well', async () => {
  const follower = await follow({ after: await end() }, other);
  const made = [
    receipt(await api.grant('elsewhere', { gold: 3 })),
    receipt(await other.consume('elsewhere', { gold: 1 })),
    receipt(await api.consume('elsewhere', { gold: 1 })),
  ];
  await follower.seen(3);
  expect(follower.receipts).toEqual(made);
});

test('rejections, replays and rehearsals are no events', async () => {
  const follower = await follow({ after: await end() });
  const granted = receipt(await api.grant('quiet', { gold: 1 }, { key: 'stream' }));
  ok(await api.grant('quiet', { gold: 1 }, { key: 'stream' }), 201);
  expectProblem(await api.consume('quiet', { gold: 2 }), 409, 'insufficient_balance');
  receipt(await api.post('/v1/grants?dryRun=true', { account: 'quiet', assets: lines({ gold: 1 }) }));
  const last = receipt(await api.consume('quiet', { gold: 1 }));
  await follower.seen(2);
  expect(follower.receipts).toEqual([granted, last]);
});

describe('Last-Event-ID', () => {
  test('goes on after that event, on any replica, whatever `after` says', async () => {
    const after = await end();
    const made: Receipt[] = [];
    for (let i = 0; i < 4; i += 1) made.push(receipt(await api.grant('resumed', { gold: 1 })));
    const first = await follow({ after });
    await first.seen(2);
    const lastEventId = first.events[1]?.id;
    const second = await follow({ after, lastEventId }, other);
    await second.seen(2);
    expect(second.receipts).toEqual(made.slice(2));
  });

  test('an empty one names no event', async () => {
    const after = await end();
    const made = receipt(await api.grant('empty', { gold: 1 }));
    const follower = await follow({ after, lastEventId: '' });
    await follower.seen(1);
    expect(follower.receipts).toEqual([made]);
  });

  test.each(['x', 'e30', '1 OR 1=1', 'WyJhc3NldHMiLCJnb2xkIl0'])(
    '%s is an invalid cursor',
    async (cursor) => {
      const headers = { 'last-event-id': cursor };
      expectProblem(await api.get(path, headers), 400, 'invalid_cursor', { instance: path });
      // It wins, so it is the one that is wrong.
      expectProblem(await api.get(`${path}?after=${await end()}`, headers), 400, 'invalid_cursor');
      expectProblem(await api.get(`${path}?after=${encodeURIComponent(cursor)}`), 400, 'invalid_cursor');
    },
  );

  test('one that is too long is refused', async () => {
    expectInvalid(await api.get(path, { 'last-event-id': 'a'.repeat(2000) }), '/last-event-id');
  });
});

test('what is asked for wrongly is answered as everywhere', async () => {
  expectInvalid(await api.get(`${path}?limit=5`), '/limit');
  expectProblem(await api.call('POST', path), 405, 'method_not_allowed');
  expectProblem(await api.get(path, { authorization: undefined }), 401, 'unauthenticated');
  expectProblem(await api.get(path, { authorization: 'Bearer hf_no' }), 401, 'unauthenticated');
});

test('HEAD has the head and nothing more, and takes no place', async () => {
  const head = async (query = ''): Promise<Response> =>
    await fetch(`${api.url}${path}${query}`, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${api.token}` },
    });
  for (let i = 0; i < 5; i += 1) {
    const { status, headers } = await head();
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('text/event-stream');
    expect(headers.get('cache-control')).toBe('no-store');
  }
  expect((await head('?after=x')).status).toBe(400);
});

test('to a client of HTTP/1.0 it is sent as it is', async () => {
  const after = await end();
  const made = await api.grant('old', { gold: 1 });
  const connection = new RawConnection(api.url);
  connection.write(
    `GET ${path}?after=${after} HTTP/1.0\r\nauthorization: Bearer ${api.token}\r\nconnection: keep-alive\r\n\r\n`,
  );
  await until('the event is there', () => connection.received.includes(made.text));
  const [head = '', ...blocks] = connection.received.split(/\r\n\r\n|\n\n/);
  expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(head.toLowerCase()).toContain('connection: close');
  expect(head.toLowerCase()).not.toContain('transfer-encoding');
  expect(blocks[0]).toMatch(/^retry: [0-9]+$/);
  expect(blocks[1]).toMatch(/^id: [\w-]+\nevent: operation\ndata: \{/);
  connection.destroy();
});

test('where it is quiet, comments come', async () => {
  const follower = await follow({ after: await end() });
  await until('two came', () => follower.comments.length >= 2);
  expect(new Set(follower.comments)).toEqual(new Set(['quiet']));
  expect(follower.events).toEqual([]);
});

test('a key that is revoked ends the streams that were opened with it, and no other', async () => {
  const revoked = await makeKey(api, { name: 'follower', role: 'reader' });
  const kept = await makeKey(api, { name: 'follower', role: 'reader' });
  const after = await end();
  const [ending, staying] = [
    await follow({ after, token: revoked.secret }),
    await follow({ after, token: kept.secret }),
  ];
  expect((await api.call('DELETE', `/v1/api-keys/${revoked.id}`)).status).toBe(204);
  expect(await ending.over).toBe('ended');
  expect(ending.comments.at(-1)).toBe('this credential is not valid any more');
  expectProblem(await callerWith(api, revoked.secret).get(path), 401, 'unauthenticated');
  // Two more rounds of looking, and it is still there.
  const heard = staying.comments.length;
  await until('two comments', () => staying.comments.length >= heard + 2);
  receipt(await api.grant('kept', { gold: 1 }));
  await staying.seen(1);
});

test('one revoked while events keep coming is noticed as well', async () => {
  const { id, secret } = await makeKey(api, { name: 'busy-follower', role: 'reader' });
  const follower = await follow({ after: await end(), token: secret });
  expect((await api.call('DELETE', `/v1/api-keys/${id}`)).status).toBe(204);
  while (follower.end === null) receipt(await api.grant('endless', { gold: 1 }));
  expect(await follower.over).toBe('ended');
  expect(follower.comments.at(-1)).toBe('this credential is not valid any more');
});

test('as many follow as may, and whoever goes makes room at once', async () => {
  const { api: small } = await serveReplica({ env: { FEED_STREAMS_MAX: '2' } });
  const followers = [await follow({}, small), await follow({}, small)];
  const refused = await small.get(path);
  expectProblem(refused, 503, 'overloaded', { retryable: true, instance: path });
  expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1);
  // Everything else is served.
  ok(await small.get('/v1/operations'));
  followers[0]?.close();
  await follow({}, small);
  expectProblem(await small.get(path), 503, 'overloaded');
});

test('a cursor from beyond the end waits there', async () => {
  const beyond = Buffer.from(JSON.stringify(['feed', 9_007_199_254_740_991])).toString('base64url');
  const follower = await follow({ after: beyond });
  receipt(await api.grant('beyond', { gold: 1 }));
  await until('it was quiet', () => follower.comments.length > 0);
  expect(follower.events).toEqual([]);
});
