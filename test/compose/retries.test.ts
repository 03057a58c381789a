import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HttpClient, type HttpAnswer } from '../support/http-client.ts';
import { problemFaults } from '../support/problem.ts';
import { until } from '../support/until.ts';
import { docker, requireEngine } from './engine.ts';

/** What a replica of ours does with a request that it has read. */
type Behaviour = 'answers' | 'breaks' | 'is busy';

const configuration = path.resolve(import.meta.dirname, '../../deploy/compose');
/** The names that nginx.conf knows, and where it finds them here. */
const addresses = { 'replica-1': '127.0.0.1', 'replica-2': '127.0.0.2', 'replica-3': '127.0.0.3' };
const busy = { code: 'busy', retryable: true };

let nginx: string;
let client: HttpClient;
let replicas: Server[];
/** Each request as it came to a replica. */
let seen: string[];
/** Of the requests to come, one after another; those after them are answered. */
let behaviours: Behaviour[];

/** One that answers as told; port 3000 of its address, as in a container. */
async function startReplica(address: string): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      seen.push(`${request.method ?? ''} ${request.url ?? ''}`);
      const behaviour = behaviours.shift() ?? 'answers';
      if (behaviour === 'breaks') request.socket.destroy();
      else if (behaviour === 'is busy')
        response.writeHead(503, { 'retry-after': '1' }).end(JSON.stringify(busy));
      else response.writeHead(200, { 'x-replica': (server.address() as AddressInfo).address }).end('{}');
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(3000, address, resolve);
  });
  return server;
}

async function stopReplica(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}

beforeEach(async () => {
  await requireEngine();
  [seen, behaviours, replicas] = [[], [], []];
  for (const address of Object.values(addresses)) replicas.push(await startReplica(address));
  const hosts = Object.entries(addresses).map(([name, address]) => `--add-host=${name}:${address}`);
  const hardened = ['--read-only', '--tmpfs=/tmp', '--cap-drop=ALL', '--user=101:101'];
  const command = ['nginx', '-c', '/etc/holdfast/nginx.conf', '-g', 'daemon off;'];
  const volume = `--volume=${configuration}:/etc/holdfast:ro`;
  nginx = await docker(
    'run',
    '-d',
    '--network=host',
    ...hosts,
    ...hardened,
    volume,
    'nginx:1.28',
    ...command,
  );
  client = new HttpClient('http://127.0.0.1:8080');
  await until('nginx listens', async () =>
    client.send({ method: 'GET', path: '/' }).then(
      () => true,
      () => false,
    ),
  );
  seen = [];
});

afterEach(async () => {
  client.close();
  await docker('rm', '--force', nginx);
  await Promise.all(replicas.filter(({ listening }) => listening).map(stopReplica));
});

interface Answer {
  readonly status: number;
  readonly headers: HttpAnswer['headers'];
  readonly body: unknown;
  /** What the contract's form of an error does not allow. */
  readonly faults: readonly string[];
}

async function send(method: string, target: string, key?: string): Promise<Answer> {
  const headers = { 'content-type': 'application/json', 'idempotency-key': key };
  const sent = {
    method,
    path: target,
    headers,
    ...(method === 'GET' ? {} : { body: '{"account":"alice"}' }),
  };
  const { status, headers: answered, bytes } = await client.send(sent);
  const answer = { path: target, status, headers: answered, body: JSON.parse(bytes.toString()) as unknown };
  return { ...answer, faults: status < 400 ? [] : problemFaults(answer) };
}

describe('the connection breaks after the request was read', () => {
  test.each([
    ['GET', '/v1/listings', undefined],
    ['PUT', '/v1/assets/gold', undefined],
    ['POST', '/v1/purchases', 'order-1'],
    ['POST', '/v1/listings/sword%2Dsale/restock?dryRun=true', 'order-2'],
    ['POST', '/v1/operations/0199a7c2/revert', 'order-3'],
  ])('%s %s with key %s goes to another replica, byte for byte the same', async (method, target, key) => {
    behaviours = ['breaks'];
    expect(await send(method, target, key)).toMatchObject({ status: 200 });
    expect(seen).toEqual([`${method} ${target}`, `${method} ${target}`]);
  });

  test.each([
    ['/v1/purchases', undefined],
    ['/v1/purchases', ''],
    // They take no key: a repetition would be a second one.
    ['/v1/api-keys', 'order-1'],
    ['/v1/verifications', 'order-1'],
    ['/v1/accounts/alice/erasure', 'order-1'],
  ])('POST %s with key %s goes nowhere else: it may have been applied', async (target, key) => {
    behaviours = ['breaks'];
    const answer = await send('POST', target, key);
    expect(seen).toEqual([`POST ${target}`]);
    expect(answer).toMatchObject({ status: 503, body: { code: 'outcome_unknown', retryable: false } });
    expect(answer.headers['retry-after']).toBeUndefined();
    // The service itself would make a key and name it, so that asking again is safe; here, it is not.
    expect(answer.faults).toEqual(['retryable is false, not true']);
  });

  test('everywhere: whoever has a key is told to ask again, in the form of the contract', async () => {
    behaviours = ['breaks', 'breaks', 'breaks'];
    const answer = await send('POST', '/v1/purchases', 'order-1');
    expect(seen).toHaveLength(3);
    expect(answer).toMatchObject({ status: 503, body: { code: 'outcome_unknown', retryable: true } });
    expect(answer.faults).toEqual([]);
  });
});

test('a connection that is refused has harmed nothing: also a POST without a key goes to another replica', async () => {
  const [first, second] = replicas;
  if (first === undefined || second === undefined) throw new Error('there are three');
  await Promise.all([stopReplica(first), stopReplica(second)]);
  for (let i = 0; i < 6; i += 1) expect(await send('POST', '/v1/purchases')).toMatchObject({ status: 200 });
  expect(seen).toHaveLength(6);
});

test('all are gone: nothing was sent, so everything may be sent again', async () => {
  await Promise.all(replicas.map(stopReplica));
  const answer = await send('POST', '/v1/purchases');
  expect(answer).toMatchObject({ status: 503, body: { code: 'outcome_unknown', retryable: true } });
  expect(answer.faults).toEqual([]);
});

test('a 503 of a replica is handed on as it is, asked of no other, and takes none out of service', async () => {
  behaviours = Array.from({ length: 9 }, () => 'is busy');
  for (let i = 0; i < 9; i += 1)
    expect(await send('POST', '/v1/purchases', `order-${i}`)).toMatchObject({ status: 503, body: busy });
  expect(seen).toHaveLength(9);
  expect(await send('POST', '/v1/purchases', 'order-9')).toMatchObject({ status: 200 });
});

test('a body above 1 MiB is refused in the form of the contract, one of 1 MiB is sent on', async () => {
  const post = { method: 'POST', path: '/v1/purchases', headers: { 'content-type': 'application/json' } };
  expect((await client.send({ ...post, body: Buffer.alloc(1024 * 1024) })).status).toBe(200);
  const refused = await client.send({ ...post, body: Buffer.alloc(1024 * 1024 + 1) });
  expect(refused.status).toBe(413);
  expect(JSON.parse(refused.bytes.toString())).toMatchObject({ code: 'payload_too_large', retryable: false });
  expect(seen).toHaveLength(1);
});
