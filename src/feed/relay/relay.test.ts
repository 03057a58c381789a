import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { chooseSeed, Random } from '../../../test/support/random.ts';
import { idsOf, RelayWorld, turnOf as turn } from '../../../test/support/relay-world.ts';
import { relayedMessages } from '../../../test/support/relayed-messages.ts';
import { until } from '../../../test/support/until.ts';
import { HeldUpError } from '../consumer.ts';

let world: RelayWorld;
const { signal } = new AbortController();
const inOrder = { outOfOrder: false, signal };
/** As what was parked comes, and is tried again. */
const outOfOrder = { outOfOrder: true, signal };

beforeAll(async () => {
  world = await RelayWorld.start();
});

beforeEach(async () => {
  await world.begin();
});

afterEach(async () => {
  await world.end();
});

afterAll(async () => {
  await world.stop();
});

test('a message is the receipt word for word, under the subject of its type, with the operation’s id', async () => {
  const relay = await world.openRelay();
  const [operation] = world.operations(1, {
    type: 'purchase',
    home: 'alice',
    receipt: '{"id" : "ü",  "a":1.0}',
  });
  await relay.handle([operation], turn(), inOrder);
  const [message] = await relayedMessages(world.connection, world.stream);
  expect(message).toMatchObject({ subject: `${world.stream}.purchase`, payload: '{"id" : "ü",  "a":1.0}' });
  expect(message?.headers).toMatchObject({
    'Nats-Msg-Id': operation.id,
    'Holdfast-Type': 'purchase',
    'Holdfast-Home': 'alice',
    'Holdfast-Position': '1',
  });
});

test('more than may be under way at once are relayed in their order', async () => {
  const relay = await world.openRelay({ inFlightMax: 7 });
  const all = world.operations(100);
  await relay.handle(all.slice(0, 50), turn(), inOrder);
  await relay.handle(all.slice(50), turn(), inOrder);
  expect(await world.relayedIds()).toEqual(idsOf(all));
});

test('a turn that is repeated after the broker has forgotten the messages adds nothing', async () => {
  await world.addStream({ duplicateWindowMs: 100 });
  const relay = await world.openRelay();
  const all = world.operations(20);
  await relay.handle(all.slice(0, 10), turn(), inOrder);
  await world.forgotten(all[0].id);
  // The same replica, whose commit failed; another one; and one that gets a longer page.
  await relay.handle(all.slice(0, 10), turn(), inOrder);
  await (await world.openRelay()).handle(all.slice(0, 10), turn(), inOrder);
  await (await world.openRelay()).handle(all.slice(5, 20), turn(), inOrder);
  expect(await world.relayedIds()).toEqual(idsOf(all));
});

test('a retry between a turn and its repetition does not hide how far the relay was', async () => {
  await world.addStream({ duplicateWindowMs: 100 });
  const passed = world.operations(10);
  // Both were parked long ago.
  const [[parked], [other]] = [world.operations(1), world.operations(1)];
  const relay = await world.openRelay();
  await relay.handle(passed.slice(0, 8), turn(), inOrder);
  // By a replica that reads the end of the stream, and again by one that knows it.
  await (await world.openRelay()).handle([parked], turn(), outOfOrder);
  await relay.handle([other], turn(), outOfOrder);
  await world.forgotten(passed[0].id);
  const messages = await relayedMessages(world.connection, world.stream);
  expect(messages.slice(-2).map(({ headers }) => headers['Holdfast-Out-Of-Order-After'])).toEqual(
    Array.from({ length: 2 }, () => `${passed[7]?.position ?? 0} ${passed[7]?.id ?? ''}`),
  );
  // The turn's commit was lost, and then that of the retry.
  await relay.handle(passed.slice(0, 8), turn(), inOrder);
  await (await world.openRelay()).handle(passed.slice(0, 8), turn(), inOrder);
  await (await world.openRelay()).handle([other], turn(), outOfOrder);
  await (await world.openRelay()).handle(passed.slice(4), turn(), inOrder);
  expect(await world.relayedIds()).toEqual(idsOf([...passed.slice(0, 8), parked, other, ...passed.slice(8)]));
});

test('a retry behind an end that is gone says that it can’t tell how far the relay was', async () => {
  const all = world.operations(4);
  // From where it would hide the fourth.
  const [parked] = world.operations(1, { position: 10 });
  await (await world.openRelay()).handle(all.slice(0, 3), turn(), inOrder);
  await world.manager.streams.deleteMessage(world.stream, 3);
  await (await world.openRelay()).handle([parked], turn(), outOfOrder);
  const [, , last] = await relayedMessages(world.connection, world.stream);
  expect(last?.headers).toMatchObject({ 'Holdfast-Out-Of-Order-After': '' });
  // So what was there is known to the window alone, and nothing is passed over.
  await (await world.openRelay()).handle(all.slice(0, 3), turn(), inOrder);
  await (await world.openRelay()).handle(all.slice(3), turn(), inOrder);
  expect(await world.relayedIds()).toEqual(idsOf([...all.slice(0, 2), parked, ...all.slice(3)]));
});

test('where the end of the stream is gone, the broker’s own window drops what comes twice', async () => {
  const relay = await world.openRelay();
  const all = world.operations(12);
  await relay.handle(all.slice(0, 10), turn(), inOrder);
  await world.manager.streams.deleteMessage(world.stream, 10);
  await (await world.openRelay()).handle(all, turn(), inOrder);
  expect(await world.relayedIds()).toEqual(idsOf(all).toSpliced(9, 1));
});

test('a message that is refused is not overtaken by those behind it', async () => {
  const relay = await world.openRelay();
  const all = [
    ...world.operations(1),
    ...world.operations(1, { receipt: 'x'.repeat(5000) }),
    ...world.operations(3),
  ].map((operation, i) => ({ ...operation, position: i + 1 }));
  await world.addLimit({ max_msg_size: 2000 });
  await expect(relay.handle(all, turn(), inOrder)).rejects.toThrow(
    new HeldUpError('NATS refuses operations: message size exceeds maximum allowed'),
  );
  expect(await world.relayedIds()).toEqual(idsOf(all).slice(0, 1));

  await world.addLimit({ max_msg_size: -1 });
  await (await world.openRelay()).handle(all, turn(), inOrder);
  expect(await world.relayedIds()).toEqual(idsOf(all));

  // Without what the broker is told to expect, the others would have gone through.
  await world.addLimit({ max_msg_size: 2000 });
  const outcomes = await Promise.allSettled(
    ['a', 'x'.repeat(5000), 'b'].map((text) => world.connection.request(`${world.stream}.control`, text)),
  );
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
  expect(
    (await relayedMessages(world.connection, world.stream)).slice(-2).map(({ payload }) => payload),
  ).toEqual(['a', 'b']);
});

test('replicas that take turns go on from each other', async () => {
  const relays = [await world.openRelay(), await world.openRelay(), await world.openRelay()];
  const all = world.operations(90);
  for (const [i, relay] of [...relays, ...relays, ...relays].entries())
    await relay.handle(all.slice(i * 10, i * 10 + 10), turn(), inOrder);
  expect(await world.relayedIds()).toEqual(idsOf(all));
});

test('a replica that has missed turns does not skip what its page has between', async () => {
  const [one, other] = [await world.openRelay(), await world.openRelay()];
  const all = world.operations(140);
  await one.handle(all.slice(0, 10), turn(), inOrder);
  await other.handle(all.slice(10, 40), turn(), inOrder);
  // Longer than what it has missed: somewhere in the page a number that is only reckoned on would fit.
  await one.handle(all.slice(40), turn(), inOrder);
  expect(await world.relayedIds()).toEqual(idsOf(all));
});

test('two that believe to have the same turn do not relay anything twice or out of order', async () => {
  const relays = [await world.openRelay(), await world.openRelay()];
  const all = world.operations(400);
  const outcomes = await Promise.allSettled(relays.map((relay) => relay.handle(all, turn(), inOrder)));
  for (const outcome of outcomes)
    if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(HeldUpError);
  // Whoever has the turn in the end.
  await (await world.openRelay()).handle(all, turn(), inOrder);
  expect(await world.relayedIds()).toEqual(idsOf(all));
});

test('a full stream holds the relay up, and nothing is left out when there is room again', async () => {
  await world.addStream({ maxMessages: 5 });
  const relay = await world.openRelay();
  const all = world.operations(10);
  await expect(relay.handle(all, turn(), inOrder)).rejects.toThrow('maximum messages exceeded');
  await world.addLimit({ max_msgs: -1 });
  await (await world.openRelay()).handle(all, turn(), inOrder);
  expect(await world.relayedIds()).toEqual(idsOf(all));
});

test('a message that the broker can never take is parked, and those behind it go on', async () => {
  await world.addStream({ messageBytesMax: 4000 });
  const warnings: string[] = [];
  const relay = await world.openRelay({ warn: (message) => warnings.push(message) });
  const [large] = world.operations(1, { receipt: 'x'.repeat(4000) });
  const others = world.operations(2).map((operation, i) => ({ ...operation, position: i + 2 }));
  const parked: string[] = [];
  await relay.handle(
    [large, ...others],
    turn({ park: (operation, reason) => parked.push(`${operation.id}: ${reason}`) }),
    inOrder,
  );
  expect(parked).toEqual([
    `${large.id}: its receipt has 4000 bytes, and NATS takes messages of 4000 with their headers (max_payload, or the stream’s max_msg_size)`,
  ]);
  expect(warnings).toEqual(['NATS can’t take an operation: it is parked']);
  expect(await world.relayedIds()).toEqual(idsOf(others));

  // Once there is room for it, it is retried by hand: behind those that have passed it.
  await world.addLimit({ max_msg_size: -1 });
  await (await world.openRelay()).handle([large], turn(), outOfOrder);
  const next = world.operations(1).map((operation) => ({ ...operation, position: 4 }));
  await (await world.openRelay()).handle(next, turn(), inOrder);
  expect(await world.relayedIds()).toEqual(idsOf([...others, large, ...next]));
});

test('after the database was set back, what is new is relayed although its positions were given out before', async () => {
  const lost = world.operations(10);
  await (await world.openRelay()).handle(lost, turn(), inOrder);
  for (const { id } of lost.slice(5)) world.known.delete(id);
  const anew = world.operations(3).map((operation, i) => ({ ...operation, position: i + 6 }));
  const warnings: string[] = [];
  await (await world.openRelay({ warn: (message) => warnings.push(message) })).handle(anew, turn(), inOrder);
  expect(warnings).toEqual([
    'the stream ends with an operation that this database does not know; relaying goes on from the cursor',
  ]);
  expect(await world.relayedIds()).toEqual(idsOf([...lost, ...anew]));
});

test('a broker that does not answer holds the relay up for a bounded time, and gets nothing twice', async () => {
  const relay = await world.openRelay({ timeoutMs: 300 });
  const all = world.operations(20);
  await relay.handle(all.slice(0, 10), turn(), inOrder);
  await world.server.freeze();
  try {
    await expect(relay.handle(all, turn(), inOrder)).rejects.toThrow(
      new HeldUpError('NATS has not confirmed operations: no answer in time'),
    );
  } finally {
    world.server.thaw();
  }
  await (await world.openRelay()).handle(all, turn(), inOrder);
  expect(await world.relayedIds()).toEqual(idsOf(all));
});

test('replicas that die, and commits that are lost, at random', async () => {
  const random = new Random(chooseSeed('relays that die'));
  const all = world.operations(1000);
  const relays = await Promise.all(Array.from({ length: 3 }, async () => await world.openConnected()));
  const turns: Promise<unknown>[] = [];
  let cursor = 0;
  for (let tries = 0; cursor < all.length; tries += 1) {
    if (tries === 2000) throw new Error(`it is still at ${cursor}`);
    const { relay, broker } = random.pick(relays);
    await until('it is connected', () => broker.trouble === null);
    const page = all.slice(cursor, cursor + random.between(1, 100));
    const handled = relay.handle(page, turn(), inOrder);
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
  expect(await world.relayedIds()).toEqual(idsOf(all));
});
