import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { answering, WebhookEndpoint, type Behaviour } from '../../../test/support/webhook-endpoint.ts';
import { Sender, type Attempt, type SenderSettings } from './sender.ts';

const message = { headers: { 'content-type': 'application/json', 'webhook-id': 'one' }, body: '{"a":"ä"}' };
const senders: Sender[] = [];

afterEach(() => {
  for (const sender of senders.splice(0)) sender.close();
});

function senderWith(settings: Partial<SenderSettings> = {}): Sender {
  const sender = new Sender({ timeoutMs: 5000, allowPrivate: true, ...settings });
  senders.push(sender);
  return sender;
}

async function attempt(url: string, settings?: Partial<SenderSettings>): Promise<Attempt> {
  return await senderWith(settings).post(url, message, new AbortController().signal);
}

async function attemptAt(behave: Behaviour, settings?: Partial<SenderSettings>): Promise<Attempt> {
  return await attempt((await WebhookEndpoint.start(behave)).url, settings);
}

test('a message arrives as it was given, over a connection that is used again', async () => {
  const endpoint = await WebhookEndpoint.start();
  const sender = senderWith();
  const { signal } = new AbortController();
  for (const id of ['one', 'two', 'three'])
    expect(
      await sender.post(
        `${endpoint.url}?a=b`,
        { ...message, headers: { ...message.headers, 'webhook-id': id } },
        signal,
      ),
    ).toMatchObject({
      kind: 'answered',
      status: 204,
    });
  expect(endpoint.ids).toEqual(['one', 'two', 'three']);
  expect(endpoint.received[0]).toMatchObject({
    method: 'POST',
    path: '/hook?a=b',
    body: message.body,
    headers: { 'content-type': 'application/json', 'content-length': '10' },
  });
  expect(endpoint.connections).toBe(1);
});

test('a kept connection that the endpoint closes as it is used again costs nothing', async () => {
  let connections = 0;
  const endpoint = await WebhookEndpoint.start((response, _received, request) => {
    const { socket } = request;
    // The first connection answers once, and is reset when it is used a second time.
    if (connections === 0) socket.once('data', () => socket.resetAndDestroy());
    connections += 1;
    response.writeHead(200).end('ok');
  });
  const sender = senderWith();
  const { signal } = new AbortController();
  for (const status of [200, 200])
    expect(await sender.post(endpoint.url, message, signal)).toMatchObject({ kind: 'answered', status });
  expect(endpoint.connections).toBe(2);
});

test('a redirect is an answer like any other: nobody follows it', async () => {
  const elsewhere = await WebhookEndpoint.start();
  const redirect = answering(302, { location: elsewhere.url });
  expect(await attemptAt(redirect)).toMatchObject({ kind: 'answered', status: 302 });
  expect(elsewhere.connections).toBe(0);
});

test('the beginning of a body is kept, as text that a database takes', async () => {
  const body = `no\u0000pe\r\n${'x'.repeat(5000)}`;
  expect(await attemptAt(answering(500, {}, body))).toMatchObject({
    status: 500,
    text: `no pe ${'x'.repeat(1024 - 7)}`,
  });
  expect(await attemptAt((response) => response.writeHead(400).end(Buffer.from([0x68, 0xff])))).toMatchObject(
    {
      text: 'h\uFFFD',
    },
  );
});

test('an endless body is read for a moment only, and its status holds', async () => {
  const endpoint = await WebhookEndpoint.start((response) => {
    response.writeHead(200);
    const write = (): void => {
      while (!response.destroyed && response.write('y'.repeat(4096)));
    };
    response.on('drain', write);
    write();
  });
  expect(await attempt(endpoint.url)).toMatchObject({ kind: 'answered', status: 200 });
});

test('a body that never ends is not waited for, and its connection not used again', async () => {
  const endpoint = await WebhookEndpoint.start((response) => {
    response.writeHead(200).write('slowly');
  });
  const sender = senderWith();
  const { signal } = new AbortController();
  for (let i = 0; i < 2; i += 1)
    expect(await sender.post(endpoint.url, message, signal)).toMatchObject({ status: 200, text: 'slowly' });
  expect(endpoint.connections).toBe(2);
});

test('an endpoint that does not answer has failed when the time is up', async () => {
  expect(await attemptAt(() => undefined, { timeoutMs: 60 })).toMatchObject({
    kind: 'failed',
    error: 'it did not answer within 60 ms',
  });
});

test.each<[string, Behaviour, RegExp]>([
  ['resets the connection', (_response, _received, { socket }) => socket.resetAndDestroy(), /ECONNRESET/],
  ['closes the connection', (_response, _received, { socket }) => socket.destroy(), /socket hang up/],
  [
    'answers something else',
    (_response, _received, { socket }) => socket.end('SSH-2.0-x\r\n'),
    /Parse Error/,
  ],
  [
    'answers with too many headers',
    (_response, _received, { socket }) => socket.write(`HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(9000)}`),
    /Header overflow|Parse Error/i,
  ],
])('an endpoint that %s has failed', async (_what, behave, reason) => {
  const came = await attemptAt(behave);
  expect(came.kind === 'failed' ? came.error : came).toMatch(reason);
});

test('nobody there, and a name that leads nowhere', async () => {
  const endpoint = await WebhookEndpoint.start();
  await endpoint.close();
  expect(await attempt(endpoint.url)).toMatchObject({
    kind: 'failed',
    error: expect.stringMatching(/ECONNREFUSED/) as string,
  });
  const unknown = Object.assign(new Error('getaddrinfo ENOTFOUND shop.example'), { code: 'ENOTFOUND' });
  expect(
    await attempt('http://shop.example/', { resolve: (_name, _options, told) => told(unknown, []) }),
  ).toMatchObject({ kind: 'failed', error: 'getaddrinfo ENOTFOUND shop.example' });
});

test('what a Retry-After says', async () => {
  expect(await attemptAt(answering(429, { 'retry-after': '7' }))).toMatchObject({
    status: 429,
    retryAfterMs: 7000,
  });
  expect(await attemptAt(answering(503))).toMatchObject({ retryAfterMs: null });
});

test('what is aborted is broken off at once, or not begun', async () => {
  const aborted = new AbortController();
  const endpoint = await WebhookEndpoint.start(() => aborted.abort());
  const sender = senderWith();
  expect(await sender.post(endpoint.url, message, aborted.signal)).toEqual({ kind: 'aborted' });
  expect(await sender.post(endpoint.url, message, aborted.signal)).toEqual({ kind: 'aborted' });
  expect(endpoint.received).toHaveLength(1);
});

describe('over TLS', () => {
  test('an endpoint whose certificate nobody vouches for gets nothing', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-tls-'));
    try {
      const args =
        'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem';
      await promisify(execFile)('openssl', args.split(' '), { cwd: folder });
      const [key, cert] = await Promise.all(
        ['key.pem', 'cert.pem'].map((file) => readFile(path.join(folder, file), 'utf8')),
      );
      const endpoint = await WebhookEndpoint.start(answering(204), { key: key ?? '', cert: cert ?? '' });
      expect(await attempt(endpoint.url)).toMatchObject({
        kind: 'failed',
        error: expect.stringMatching(/^self-signed certificate.*DEPTH_ZERO_SELF_SIGNED_CERT/) as string,
      });
      expect(endpoint.received).toEqual([]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('one that speaks plain HTTP has failed', async () => {
    const { url } = await WebhookEndpoint.start();
    const came = await attempt(url.replace('http:', 'https:'));
    expect(came.kind === 'failed' ? came.error : came).toMatch(/SSL|EPROTO/);
  });
});

describe('where private addresses are not allowed', () => {
  test('none is connected to, by number or by name', async () => {
    const endpoint = await WebhookEndpoint.start();
    const { port } = new URL(endpoint.url);
    const settings: Partial<SenderSettings> = {
      allowPrivate: false,
      resolve: (_name, _options, told) => {
        told(null, [{ address: '127.0.0.1', family: 4 }]);
      },
    };
    expect(await attempt(`http://shop.example:${port}/hook`, settings)).toMatchObject({
      error: 'the URL must be an https:// URL',
    });
    expect(await attempt(`https://127.0.0.1:${port}/hook`, settings)).toMatchObject({
      error: 'the URL must not lead to a private address',
    });
    expect(await attempt(`https://rebound.example:${port}/hook`, settings)).toMatchObject({
      error: 'rebound.example is at 127.0.0.1, which is not public',
    });
    expect(endpoint.connections).toBe(0);
  });

  test('where they are, the same reaches it', async () => {
    const endpoint = await WebhookEndpoint.start();
    const { port } = new URL(endpoint.url);
    const came = await attempt(`http://shop.example:${port}/hook`, {
      resolve: (_name, _options, told) => {
        told(null, [{ address: '127.0.0.1', family: 4 }]);
      },
    });
    expect(came).toMatchObject({ kind: 'answered', status: 204 });
    expect(endpoint.connections).toBe(1);
  });
});
