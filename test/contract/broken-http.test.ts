import { afterEach, beforeAll, expect, test } from 'vitest';
import type { Api } from '../support/api.ts';
import { problemFaults } from '../support/problem.ts';
import { exchange, RawConnection, type RawAnswer } from '../support/raw-http.ts';
import { ok, owned } from '../support/resources.ts';
import { serveMarket } from '../support/served-market.ts';
import { adminApiKey } from '../support/served-replicas.ts';

let api: Api;

beforeAll(async () => {
  ({ api } = await serveMarket());
});

// Whatever was sent, the replica serves on.
afterEach(async () => {
  ok(await api.get('/v1/assets/gold'));
});

const head = (rest = ''): string => `Host: x\r\nAuthorization: Bearer ${adminApiKey}\r\n${rest}`;
const grantBody = '{"account":"raw","assets":[{"asset":"gold","quantity":1}]}';

/** Fails unless it is a problem in all its parts. */
function expectRawProblem(answer: RawAnswer | null, statuses: readonly number[]): void {
  if (answer === null) throw new Error('there was no answer');
  expect(statuses, answer.body).toContain(answer.status);
  const body = JSON.parse(answer.body) as { instance: string };
  expect(answer.headers['x-request-id']).toBeTruthy();
  expect(problemFaults({ ...answer, body, path: body.instance })).toEqual([]);
}

test.each<[string, string | Buffer]>([
  ['what is not HTTP', 'HELLO\r\n\r\n'],
  [
    'noise',
    Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03, 0x0d, 0x0a, 0x0d, 0x0a]),
  ],
  ['a method that does not exist', `FETCH /v1/assets HTTP/1.1\r\n${head()}\r\n`],
  ['a version that does not exist', `GET /v1/assets HTTP/9.9\r\n${head()}\r\n`],
  ['no target', `GET HTTP/1.1\r\n${head()}\r\n`],
  ['a header without a colon', `GET /v1/assets HTTP/1.1\r\n${head('nonsense\r\n')}\r\n`],
  ['a header name with a blank', `GET /v1/assets HTTP/1.1\r\n${head('Bad Name: x\r\n')}\r\n`],
  ['a header with a zero', `GET /v1/assets HTTP/1.1\r\n${head('X-Zero: a\0b\r\n')}\r\n`],
  ['a length that is no number', `POST /v1/grants HTTP/1.1\r\n${head('Content-Length: many\r\n')}\r\n`],
  ['a negative length', `POST /v1/grants HTTP/1.1\r\n${head('Content-Length: -1\r\n')}\r\n`],
  ['two lengths', `POST /v1/grants HTTP/1.1\r\n${head('Content-Length: 1\r\nContent-Length: 2\r\n')}\r\nx`],
  [
    'a length and chunks',
    `POST /v1/grants HTTP/1.1\r\n${head('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n')}\r\n0\r\n\r\n`,
  ],
])('%s is answered with a problem', async (_what, bytes) => {
  expectRawProblem(await exchange(api.url, bytes), [400]);
});

test('chunks that are broken', async () => {
  const headers = head('Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n');
  const answer = await exchange(
    api.url,
    `POST /v1/grants HTTP/1.1\r\n${headers}\r\nzz\r\n${grantBody}\r\n0\r\n\r\n`,
  );
  expectRawProblem(answer, [400]);
});

test('no Host in HTTP/1.1', async () => {
  expectRawProblem(await exchange(api.url, `GET /livez HTTP/1.1\r\n\r\n`), [400]);
});

test('headers beyond all measure', async () => {
  const headers = head(`X-Large: ${'x'.repeat(100_000)}\r\n`);
  expectRawProblem(await exchange(api.url, `GET /v1/assets HTTP/1.1\r\n${headers}\r\n`), [400, 413, 431]);
});

test('requests in one go are answered in their order', async () => {
  const connection = new RawConnection(api.url);
  const get = (id: string): string => `GET /livez HTTP/1.1\r\n${head(`X-Request-Id: ${id}\r\n`)}\r\n`;
  const post = `POST /v1/grants HTTP/1.1\r\n${head('X-Request-Id: two\r\nContent-Type: application/json\r\n')}Content-Length: ${grantBody.length}\r\n\r\n${grantBody}`;
  connection.write(get('one') + post + get('three'));
  const answers = [await connection.answer(), await connection.answer(), await connection.answer()];
  connection.destroy();
  expect(answers.map((answer) => [answer?.status, answer?.headers['x-request-id']])).toEqual([
    [200, 'one'],
    [201, 'two'],
    [200, 'three'],
  ]);
});

test('a request that arrives byte by byte is one request', async () => {
  const connection = new RawConnection(api.url);
  const request = `POST /v1/grants HTTP/1.1\r\n${head('Content-Type: application/json\r\n')}Content-Length: ${grantBody.length}\r\n\r\n${grantBody}`;
  for (const byte of request) connection.write(byte);
  expect(await connection.answer()).toMatchObject({ status: 201 });
  connection.destroy();
});

test('a client that vanishes in the middle of its request has changed nothing', async () => {
  const partial = `POST /v1/grants HTTP/1.1\r\n${head('Content-Type: application/json\r\n')}Content-Length: 1000\r\n\r\n`;
  const body = grantBody.replace('raw', 'vanished');
  for (const cut of [partial.slice(0, 30), partial, partial + body.slice(0, 20), partial + body]) {
    const connection = new RawConnection(api.url);
    connection.write(cut);
    connection.end();
    const answer = await connection.answer();
    if (answer !== null) expectRawProblem(answer, [400, 408]);
    connection.destroy();
  }
  expect(await api.get('/v1/accounts/vanished')).toMatchObject({ status: 404 });
});

test('a client that does not wait for its answer has its operation done once, or not at all', async () => {
  ok(await api.grant('impatient', { gold: 1 }), 201);
  const body = grantBody.replace('raw', 'impatient');
  for (let i = 0; i < 20; i += 1) {
    const connection = new RawConnection(api.url);
    const headers = head(`Content-Type: application/json\r\nIdempotency-Key: gone-${i}\r\n`);
    connection.write(`POST /v1/grants HTTP/1.1\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`);
    connection.end();
    connection.destroy();
  }
  for (let i = 0; i < 20; i += 1) ok(await api.grant('impatient', { gold: 1 }, { key: `gone-${i}` }), 201);
  expect(await owned(api, 'impatient')).toEqual({ gold: 21 });
});

test('HTTP/1.0 is answered, and the connection closed', async () => {
  const connection = new RawConnection(api.url);
  connection.write('GET /livez HTTP/1.0\r\n\r\n');
  expect(await connection.answer()).toMatchObject({ status: 200, headers: { connection: 'close' } });
  expect(await connection.answer()).toBeNull();
});

test('a wish for another protocol is ignored', async () => {
  const answer = await exchange(
    api.url,
    `GET /livez HTTP/1.1\r\n${head('Connection: Upgrade\r\nUpgrade: websocket\r\n')}\r\n`,
  );
  expect(answer).toMatchObject({ status: 200 });
});

test('a client that asks first whether it may send is told, and then answered', async () => {
  const connection = new RawConnection(api.url);
  const headers = head(
    `Content-Type: application/json\r\nContent-Length: ${grantBody.length}\r\nExpect: 100-continue\r\n`,
  );
  connection.write(`POST /v1/grants HTTP/1.1\r\n${headers}\r\n`);
  expect(await connection.answer()).toMatchObject({ status: 100 });
  connection.write(grantBody);
  expect(await connection.answer()).toMatchObject({ status: 201 });
  connection.destroy();
});
