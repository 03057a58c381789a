import { randomUUID } from 'node:crypto';
import {
  DiscardPolicy,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type JetStreamManager,
} from '@nats-io/jetstream';
import { connect, nanos, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { NatsServer } from '../../../test/support/nats-server.ts';
import { chooseSeed, Random } from '../../../test/support/random.ts';
import { relayedMessages } from '../../../test/support/relayed-messages.ts';
import { until } from '../../../test/support/until.ts';
import type { FeedOperation, Turn } from '../../repository/consumers.ts';
import { HeldUpError } from '../consumer.ts';
import { Broker, type BrokerSettings } from './broker.ts';
import { Relay } from './relay.ts';

let server: NatsServer;
let connection: NatsConnection;
let manager: JetStreamManager;
/** A new one for each test, so that each has a stream of its own. */
let stream: string;
/** What the database knows. */
const known = new Map<string, FeedOperation>();
const signal = new AbortController().signal;
const leaving: (() => Promise<void>)[] = [];

beforeAll(async () => {
  server = await NatsServer.start();
});

beforeEach(async () => {
  connection = await connect({ servers: server.address, reconnect: false });
  manager = await jetstreamManager(connection);
  stream = `S${randomUUID()}`;
  known.clear();
});

afterEach(async () => {
  for (const leave of leaving.splice(0)) await leave();
  await connection.close();
});

afterAll(async () => {
  await server.stop();
});

test('a message is the receipt word for word, under the subject of its type, with the operation’s id', async () => {
  const relay = await openRelay();
  const [operation] = operations(1, { type: 'purchase', home: 'alice', receipt: '{"id" : "ü",  "a":1.0}' });
  await relay.handle([operation], turn(), signal);
  const [message] = await relayedMessages(connection, stream);
  expect(message).toMatchObject({ subject: `${stream}.purchase`, payload: '{"id" : "ü",  "a":1.0}' });
  expect(message?.headers).toMatchObject({
    'Nats-Msg-Id': operation.id,
    'Holdfast-Type': 'purchase',
    'Holdfast-Home': 'alice',
    'Holdfast-Position': '1',
  });
});

test('more than may be under way at once are relayed in their order', async () => {
  const relay = await openRelay({ inFlightMax: 7 });
  const all = operations(100);
  await relay.handle(all.slice(0, 50), turn(), signal);
  await relay.handle(all.slice(50), turn(), signal);
  expect(await relayedIds()).toEqual(idsOf(all));
});

test('a turn that is repeated after the broker has forgotten the messages adds nothing', async () => {
  await addStream({ duplicateWindowMs: 100 });
  const relay = await openRelay();
  const all = operations(20);
  await relay.handle(all.slice(0, 10), turn(), signal);
  await forgotten(all[0].id);
  // The same replica, whose commit failed; another one; and one that gets a longer page.
  await relay.handle(all.slice(0, 10), turn(), signal);
  await (await openRelay()).handle(all.slice(0, 10), turn(), signal);
  await (await openRelay()).handle(all.slice(5, 20), turn(), signal);
  expect(await relayedIds()).toEqual(idsOf(all));
});

test('where the end of the stream is gone, the broker’s own window drops what comes twice', async () => {
  const relay = await openRelay();
  const all = operations(12);
  await relay.handle(all.slice(0, 10), turn(), signal);
  await manager.streams.deleteMessage(stream, 10);
  await (await openRelay()).handle(all, turn(), signal);
  expect(await relayedIds()).toEqual(idsOf(all).toSpliced(9, 1));
});

test('a message that is refused is not overtaken by those behind it', async () => {
  const relay = await openRelay();
  const all = [...operations(1), ...operations(1, { receipt: 'x'.repeat(5000) }), ...operations(3)].map(
    (operation, i) => ({ ...operation, position: i + 1 }),
  );
  await addLimit({ max_msg_size: 2000 });
  await expect(relay.handle(all, turn(), signal)).rejects.toThrow(
    new HeldUpError('NATS refuses operations: message size exceeds maximum allowed'),
  );
  expect(await relayedIds()).toEqual(idsOf(all).slice(0, 1));

  await addLimit({ max_msg_size: -1 });
  await (await openRelay()).handle(all, turn(), signal);
  expect(await relayedIds()).toEqual(idsOf(all));

  // Without what the broker is told to expect, the others would have gone through.
  await addLimit({ max_msg_size: 2000 });
  const outcomes = await Promise.allSettled(
    ['a', 'x'.repeat(5000), 'b'].map((text) => connection.request(`${stream}.control`, text)),
  );
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
  expect((await relayedMessages(connection, stream)).slice(-2).map(({ payload }) => payload)).toEqual([
    'a',
    'b',
  ]);
});

test('replicas that take turns go on from each other', async () => {
  const relays = [await openRelay(), await openRelay(), await openRelay()];
  const all = operations(90);
  for (const [i, relay] of [...relays, ...relays, ...relays].entries())
    await relay.handle(all.slice(i * 10, i * 10 + 10), turn(), signal);
  expect(await relayedIds()).toEqual(idsOf(all));
});

test('a replica that has missed turns does not skip what its page has between', async () => {
  const [one, other] = [await openRelay(), await openRelay()];
  const all = operations(140);
  await one.handle(all.slice(0, 10), turn(), signal);
  await other.handle(all.slice(10, 40), turn(), signal);
  // Longer than what it has missed: somewhere in the page a number that is only reckoned on would fit.
  await one.handle(all.slice(40), turn(), signal);
  expect(await relayedIds()).toEqual(idsOf(all));
});

test('two that believe to have the same turn do not relay anything twice or out of order', async () => {
  const relays = [await openRelay(), await openRelay()];
  const all = operations(400);
  const outcomes = await Promise.allSettled(relays.map((relay) => relay.handle(all, turn(), signal)));
  for (const outcome of outcomes)
    if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(HeldUpError);
  // Whoever has the turn in the end.
  await (await openRelay()).handle(all, turn(), signal);
  expect(await relayedIds()).toEqual(idsOf(all));
});

test('a full stream holds the relay up, and nothing is left out when there is room again', async () => {
  await addStream({ maxMessages: 5 });
  const relay = await openRelay();
  const all = operations(10);
  await expect(relay.handle(all, turn(), signal)).rejects.toThrow('maximum messages exceeded');
  await addLimit({ max_msgs: -1 });
  await (await openRelay()).handle(all, turn(), signal);
  expect(await relayedIds()).toEqual(idsOf(all));
});

test('a message that the broker can never take is parked, and those behind it go on', async () => {
  await addStream({ messageBytesMax: 4000 });
  const warnings: string[] = [];
  const relay = await openRelay({ warn: (message) => warnings.push(message) });
  const [large] = operations(1, { receipt: 'x'.repeat(4000) });
  const others = operations(2).map((operation, i) => ({ ...operation, position: i + 2 }));
  const parked: string[] = [];
  await relay.handle(
    [large, ...others],
    turn({ park: (operation, reason) => parked.push(`${operation.id}: ${reason}`) }),
    signal,
  );
  expect(parked).toEqual([
    `${large.id}: its receipt has 4000 bytes, and NATS takes messages of 4000 with their headers (max_payload, or the stream’s max_msg_size)`,
  ]);
  expect(warnings).toEqual(['NATS can’t take an operation: it is parked']);
  expect(await relayedIds()).toEqual(idsOf(others));

  // Once there is room for it, it is retried by hand: behind those that have passed it.
  await addLimit({ max_msg_size: -1 });
  await (await openRelay()).handle([large], turn({ retry: large }), signal);
  const next = operations(1).map((operation) => ({ ...operation, position: 4 }));
  await (await openRelay()).handle(next, turn(), signal);
  expect(await relayedIds()).toEqual(idsOf([...others, large, ...next]));
});

test('after the database was set back, what is new is relayed although its positions were given out before', async () => {
  const lost = operations(10);
  await (await openRelay()).handle(lost, turn(), signal);
  for (const { id } of lost.slice(5)) known.delete(id);
  const anew = operations(3).map((operation, i) => ({ ...operation, position: i + 6 }));
  const warnings: string[] = [];
  await (await openRelay({ warn: (message) => warnings.push(message) })).handle(anew, turn(), signal);
  expect(warnings).toEqual([
    'the stream ends with an operation that this database does not know; relaying goes on from the cursor',
  ]);
  expect(await relayedIds()).toEqual(idsOf([...lost, ...anew]));
});

test('a broker that does not answer holds the relay up for a bounded time, and gets nothing twice', async () => {
  const relay = await openRelay({ timeoutMs: 300 });
  const all = operations(20);
  await relay.handle(all.slice(0, 10), turn(), signal);
  await server.freeze();
  try {
    await expect(relay.handle(all, turn(), signal)).rejects.toThrow(
      new HeldUpError('NATS has not confirmed operations: no answer in time'),
    );
  } finally {
    server.thaw();
  }
  await (await openRelay()).handle(all, turn(), signal);
  expect(await relayedIds()).toEqual(idsOf(all));
});

test('replicas that die, and commits that are lost, at random', async () => {
  const random = new Random(chooseSeed('relays that die'));
  const all = operations(1000);
  const relays = await Promise.all(Array.from({ length: 3 }, async () => await openConnected()));
  const turns: Promise<unknown>[] = [];
  let cursor = 0;
  for (let tries = 0; cursor < all.length; tries += 1) {
    if (tries === 2000) throw new Error(`it is still at ${cursor}`);
    const { relay, broker } = random.pick(relays);
    await until('it is connected', () => broker.trouble === null);
    const page = all.slice(cursor, cursor + random.between(1, 100));
    const handled = relay.handle(page, turn(), signal);
    turns.push(handled.catch(() => undefined));
    if (random.between(1, 3) === 1) {
      // Its connection is gone in the middle, and nobody waits for what it still believes: another has the turn.
      for (let i = random.between(0, 20); i > 0; i -= 1) await new Promise(setImmediate);
      await broker.drop();
      continue;
    }
    const kept = await handled.then(
      () => random.between(1, 3) > 1,
      () => false,
    );
    if (kept) cursor += page.length;
  }
  await Promise.all(turns);
  expect(await relayedIds()).toEqual(idsOf(all));
});

/** Operations with positions from 1. */
function operations(count: number, given: Partial<FeedOperation> = {}): [FeedOperation, ...FeedOperation[]] {
  const make = (i: number): FeedOperation => {
    const id = randomUUID();
    const receipt = JSON.stringify({ id });
    const operation = { position: i + 1, id, type: 'grant', home: 'alice', atMs: 0, receipt, ...given };
    known.set(id, operation);
    return operation;
  };
  return [make(0), ...Array.from({ length: count - 1 }, (_, i) => make(i + 1))];
}

function turn(given: Partial<Turn> = {}): Pick<Turn, 'park' | 'retry'> {
  return {
    retry: undefined,
    park: (operation) => {
      throw new Error(`${operation.id} must not be parked`);
    },
    ...given,
  };
}

/** A replica's relay, connected. */
async function openRelay(given: Parameters<typeof openConnected>[0] = {}): Promise<Relay> {
  return (await openConnected(given)).relay;
}

async function openConnected({
  inFlightMax = 256,
  timeoutMs = 5000,
  warn = () => undefined,
}: {
  inFlightMax?: number;
  timeoutMs?: number;
  warn?: (message: string) => unknown;
} = {}): Promise<{ relay: Relay; broker: Broker }> {
  const broker = await openBroker();
  const reads = {
    operation: (id: string) => {
      const found = known.get(id);
      return Promise.resolve(found && { home: found.home, receipt: found.receipt });
    },
  };
  const log = { warn: (_fields: object, message: string) => warn(message) };
  return { relay: new Relay({ broker, reads, settings: { inFlightMax, timeoutMs }, log }), broker };
}

async function openBroker(given: Partial<BrokerSettings> = {}): Promise<Broker> {
  const broker = new Broker(
    {
      address: { servers: [server.address], tls: false, credentials: {} },
      credentialsFile: null,
      name: 'test',
      answerMs: 3000,
      stream,
      subjectPrefix: stream,
      duplicateWindowMs: 120_000,
      maxAgeMs: 0,
      ...given,
    },
    { info: () => undefined, warn: () => undefined, error: () => undefined },
  );
  const stopping = new AbortController();
  const running = broker.run(stopping.signal);
  leaving.push(async () => {
    stopping.abort();
    await running;
  });
  await until('it is connected', () => broker.trouble === null);
  return broker;
}

/** A stream that someone has made before the relay came. */
async function addStream(limits: {
  duplicateWindowMs?: number;
  maxMessages?: number;
  messageBytesMax?: number;
}): Promise<void> {
  await manager.streams.add({
    name: stream,
    subjects: [`${stream}.>`],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    duplicate_window: nanos(limits.duplicateWindowMs ?? 120_000),
    max_msg_size: limits.messageBytesMax ?? -1,
    ...(limits.maxMessages === undefined ? {} : { max_msgs: limits.maxMessages, discard: DiscardPolicy.New }),
  });
}

async function addLimit(limit: { max_msgs?: number; max_msg_size?: number }): Promise<void> {
  await manager.streams.update(stream, limit);
}

/** Resolves when a message with this id would be taken for a new one, in a stream with the same window. */
async function forgotten(id: string): Promise<void> {
  const { config } = await manager.streams.info(stream);
  const name = `${stream}-probe`;
  await manager.streams.add({ name, subjects: [name], duplicate_window: config.duplicate_window });
  const client = manager.jetstream();
  await client.publish(name, '', { msgID: id });
  await until(
    'the window has passed',
    async () => !(await client.publish(name, '', { msgID: id })).duplicate,
  );
}

async function relayedIds(): Promise<string[]> {
  const messages = await relayedMessages(connection, stream);
  return messages.map(({ headers }) => headers['Nats-Msg-Id'] ?? '');
}

function idsOf(all: readonly FeedOperation[]): string[] {
  return all.map(({ id }) => id);
}
