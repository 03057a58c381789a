import { createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { jetstreamManager, RetentionPolicy, StorageType, type StreamConfig } from '@nats-io/jetstream';
import { connect, nanos } from '@nats-io/transport-node';
import { afterEach, expect, test } from 'vitest';
import { NatsServer } from '../../../test/support/nats-server.ts';
import { until } from '../../../test/support/until.ts';
import { HeldUpError } from '../consumer.ts';
import { Broker, type BrokerSettings } from './broker.ts';

const signal = new AbortController().signal;
const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

test('the stream is created as the settings say, and is found again', async () => {
  const server = await NatsServer.start();
  const broker = await connected(server, { maxAgeMs: 3_600_000 });
  await broker.stream(signal);
  expect(broker.logged).toEqual(['info: connected to NATS']);
  expect(await streamConfig(server)).toMatchObject({
    name: 'HOLDFAST',
    subjects: ['holdfast.operations.>'],
    storage: 'file',
    retention: 'limits',
    discard: 'old',
    duplicate_window: 120e9,
    max_age: 3600e9,
  });
  const other = await connected(server, { maxAgeMs: 3_600_000 });
  expect(other.logged).toEqual(['info: connected to NATS']);
});

test('a broker that is away holds the relay up at once, and is found when it comes, and comes again', async () => {
  const server = await NatsServer.start();
  await server.stop();
  const broker = open(server);
  await until('it has tried', () => broker.trouble?.reason === 'connection refused');
  await expect(broker.stream(signal)).rejects.toThrow(new HeldUpError('NATS: connection refused'));
  await server.start();
  await until('it is connected', () => broker.trouble === null);
  await server.kill();
  await until('it is noticed', () => broker.trouble !== null);
  await expect(broker.stream(signal)).rejects.toBeInstanceOf(HeldUpError);
  await server.start();
  await until('it is connected again', () => broker.trouble === null);
  expect(broker.logged).toEqual([
    'warn: there is no connection to NATS: operations wait to be relayed',
    'info: connected to NATS',
    'warn: there is no connection to NATS: operations wait to be relayed',
    'info: connected to NATS',
  ]);
});

const fit: Partial<StreamConfig> & { name: string } = {
  name: 'HOLDFAST',
  subjects: ['holdfast.operations.>'],
  storage: StorageType.File,
  retention: RetentionPolicy.Limits,
  duplicate_window: nanos(120_000),
};

test.each<[string, Partial<StreamConfig>, string]>([
  [
    'other subjects',
    { subjects: ['holdfast.other.>'] },
    'it has holdfast.other.>, not holdfast.operations.>',
  ],
  ['too few words', { subjects: ['holdfast.*'] }, 'it has holdfast.*, not holdfast.operations.>'],
  ['memory', { storage: StorageType.Memory }, 'it is kept in memory, so a restart would lose it'],
  ['no answers', { no_ack: true }, 'it acknowledges nothing'],
])('a stream that is there and unfit (%s) is told of and left as it is', async (_name, config, fault) => {
  const server = await NatsServer.start();
  const before = await addStream(server, { ...fit, ...config });
  const broker = open(server);
  await until('it is told of', () => broker.trouble?.kind === 'stream unfit');
  expect(broker.trouble?.reason).toBe(
    `the stream HOLDFAST can’t take operations, and is left as it is: ${fault}`,
  );
  await expect(broker.stream(signal)).rejects.toThrow(fault);
  expect(broker.logged[0]).toBe('error: operations are not relayed: the stream is not fit for them');
  expect(await streamConfig(server)).toEqual(before);
});

test.each<[string, Partial<StreamConfig>]>([
  ['more subjects', { subjects: ['holdfast.>'] }],
  ['a word each', { subjects: ['other', '*.operations.*'] }],
])('a stream that is there and fit (%s) is taken', async (_name, config) => {
  const server = await NatsServer.start();
  await addStream(server, { ...fit, ...config });
  const broker = await connected(server);
  expect(broker.logged).toEqual(['info: connected to NATS']);
});

test.each<[string, Partial<StreamConfig>]>([
  ['a shorter window', { duplicate_window: nanos(1000) }],
  ['another age', { max_age: nanos(3_600_000) }],
])('a stream with %s is taken with a warning, and left as it is', async (_name, config) => {
  const server = await NatsServer.start();
  const before = await addStream(server, { ...fit, ...config });
  const broker = await connected(server);
  expect(broker.logged[0]).toBe(
    'warn: the stream is other than NATS_DUPLICATE_WINDOW and NATS_MAX_AGE say, and is left as it is',
  );
  expect(await streamConfig(server)).toEqual(before);
});

test('subjects that another stream has are named as the reason', async () => {
  const server = await NatsServer.start();
  await addStream(server, { ...fit, name: 'OTHER' });
  const broker = open(server);
  await until('it is told of', () => broker.trouble?.kind === 'stream unfit');
  expect(broker.trouble?.reason).toBe(
    'the stream HOLDFAST could not be created: subjects overlap with an existing stream',
  );
});

test.each([
  ['user and password', 'authorization { user: shop, password: "s3cret" }', { user: 'shop', pass: 's3cret' }],
  ['token', 'authorization { token: "t0ken" }', { token: 't0ken' }],
])('credentials: %s', async (_name, config, credentials) => {
  const server = await NatsServer.start(config);
  await connected(server, { address: { servers: [server.address], tls: false, credentials } });
  const refused = open(server);
  await until('it is refused', () => refused.trouble?.reason.includes('Authorization Violation') ?? false);
});

test('of several servers one that is there will do', async () => {
  const server = await NatsServer.start();
  const gone = await NatsServer.start();
  const address = gone.address;
  await gone.remove();
  await connected(server, { address: { servers: [address, server.address], tls: false, credentials: {} } });
});

test('it stops while it is connecting to a server that says nothing, and leaves no connection', async () => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => {
    sockets.push(socket);
    socket.resume();
  });
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as { port: number };
  const broker = open({ address: `127.0.0.1:${port}` });
  await until('it has come', () => sockets.length === 1);
  // Nobody waits for it for long.
  await expect(broker.stream(signal)).rejects.toThrow('NATS: no connection has been made yet');
  await broker.stop();
  for (const socket of sockets) if (!socket.closed) await once(socket, 'close');
  silent.close();
});

test('the credentials file is read anew at each connection', async () => {
  const server = await NatsServer.start();
  const broker = open(server, { credentialsFile: '/nonexistent/relay.creds' });
  await until('it is missed', () => broker.trouble?.reason.includes('ENOENT') ?? false);
});

type OpenedBroker = Broker & { readonly logged: string[]; readonly stop: () => Promise<void> };

function open({ address }: { address: string }, given: Partial<BrokerSettings> = {}): OpenedBroker {
  const logged: string[] = [];
  const log = (level: string) => (_fields: object, message: string) => {
    logged.push(`${level}: ${message}`);
  };
  const broker = new Broker(
    {
      address: { servers: [address], tls: false, credentials: {} },
      credentialsFile: null,
      name: 'test',
      answerMs: 3000,
      stream: 'HOLDFAST',
      subjectPrefix: 'holdfast.operations',
      duplicateWindowMs: 120_000,
      maxAgeMs: 0,
      ...given,
    },
    { info: log('info'), warn: log('warn'), error: log('error') },
  );
  const stopping = new AbortController();
  const running = broker.run(stopping.signal);
  const stop = async (): Promise<void> => {
    stopping.abort();
    await running;
  };
  stops.push(stop);
  return Object.assign(broker, { logged, stop });
}

async function connected(server: NatsServer, given?: Partial<BrokerSettings>): Promise<OpenedBroker> {
  const broker = open(server, given);
  await until('it is connected', () => broker.trouble === null);
  return broker;
}

async function addStream(
  { address }: NatsServer,
  config: Partial<StreamConfig> & { name: string },
): Promise<StreamConfig> {
  const connection = await connect({ servers: address, reconnect: false });
  const manager = await jetstreamManager(connection);
  const added = await manager.streams.add(config);
  await connection.close();
  return added.config;
}

async function streamConfig({ address }: NatsServer): Promise<StreamConfig> {
  const connection = await connect({ servers: address, reconnect: false });
  const manager = await jetstreamManager(connection);
  const { config } = await manager.streams.info('HOLDFAST');
  await connection.close();
  return config;
}
