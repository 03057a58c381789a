import { describe, expect, test } from 'vitest';
import { answering, verified, verifies, WebhookEndpoint } from '../../../test/support/webhook-endpoint.ts';
import { query } from '../../../test/support/query.ts';
import { WebhookWorld } from '../../../test/support/webhook-world.ts';
import { Pacer } from '../pacer.ts';
import { retryDelaysMs } from './retry-plan.ts';

test('an endpoint gets each operation, signed, word for word', async () => {
  const world = await WebhookWorld.open();
  const endpoint = await WebhookEndpoint.start();
  const { id, secret } = await world.register(endpoint.url);
  const ids = await world.operate(150);
  await world.follow();
  await world.deliver(id);
  expect([...endpoint.ids].sort()).toEqual([...ids].sort());
  const { rows } = await query(world.database.url, 'select id, receipt::text as receipt from operations');
  const receipts = new Map(rows.map((row) => [row['id'], row['receipt']]));
  for (const received of endpoint.received) {
    const { headers, body } = received;
    const receipt = receipts.get(headers['webhook-id']);
    expect(body).toBe(`{"type":"grant","timestamp":"2026-11-21T10:00:00.123Z","data":${String(receipt)}}`);
    expect(verified(secret, received)).toMatchObject({ data: { id: headers['webhook-id'] } });
    expect(headers['content-type']).toBe('application/json');
  }
  const deliveries = await world.deliveries(id);
  expect(deliveries.map(({ operation }) => operation)).toEqual([...ids].reverse());
  expect(deliveries[0]).toMatchObject({
    status: 'delivered',
    attempts: 1,
    nextAttemptAtMs: null,
    lastAttempt: { responseStatus: 204, responseBody: null, error: null },
  });
  expect(await world.keeper.find(id)).toMatchObject({
    failingSinceMs: null,
    restingUntilMs: null,
    disabled: null,
  });
});

test('an endpoint waits until other background work has had its turn', async () => {
  const world = await WebhookWorld.open();
  const [waiting, other] = [await WebhookEndpoint.start(), await WebhookEndpoint.start()];
  const [{ id }, { id: otherId }] = [await world.register(waiting.url), await world.register(other.url)];
  const ids = await world.operate(40);
  await world.follow();
  const pacer = new Pacer({ inFlight: () => 64, yieldAt: 1 });
  const others = new AbortController();
  const before = Array.from({ length: 1000 }, async () => {
    await pacer.begin({ lateMs: 0, signal: others.signal });
  });
  const delivering = world.deliver(id, world.deliverer({}, {}, pacer));
  await world.deliver(otherId);
  expect([other.received.length, waiting.received.length]).toEqual([40, 0]);
  others.abort();
  await Promise.all([...before, delivering]);
  expect([...waiting.ids].sort()).toEqual([...ids].sort());
});

test('only the types that it wants, and nothing from before it was registered', async () => {
  const world = await WebhookWorld.open();
  const endpoint = await WebhookEndpoint.start();
  await world.operate(3, 'purchase');
  const { id } = await world.register(endpoint.url, ['purchase', 'sale']);
  const purchases = await world.operate(2, 'purchase');
  await world.operate(2, 'grant');
  const sales = await world.operate(1, 'sale');
  await world.follow();
  await world.deliver(id);
  expect([...endpoint.ids].sort()).toEqual([...purchases, ...sales].sort());
});

test('an endpoint that is registered before any replica has looked at the feed misses nothing', async () => {
  const world = await WebhookWorld.open();
  const { id } = await world.register('http://127.0.0.1:1/');
  const ids = await world.operate(2);
  const { consumers } = world.repository;
  const { name, from } = world.consumer;
  expect(await consumers.list()).toEqual([]);
  // What a replica does first.
  await consumers.ensure(name, from);
  expect(await consumers.list()).toMatchObject([{ name, lag: ids.length }]);
  await world.follow();
  expect((await world.deliveries(id)).map(({ operation }) => operation)).toEqual(ids.toReversed());
});

test('500, then 200: it is tried again, under the same id, with the time of that attempt', async () => {
  const world = await WebhookWorld.open();
  const endpoint = await WebhookEndpoint.start(answering(500, {}, 'not now'));
  const { id, secret } = await world.register(endpoint.url);
  const [operation] = await world.operate(1);
  await world.follow();
  const deliverer = world.deliverer({ retries: { attemptsMax: 3, delaysMs: [60_000], random: () => 0 } });
  await world.deliver(id, deliverer);
  expect(await world.deliveries(id)).toMatchObject([
    {
      status: 'pending',
      attempts: 1,
      finishedAtMs: null,
      lastAttempt: { responseStatus: 500, responseBody: 'not now', error: 'it answered 500' },
    },
  ]);
  // Nothing is due, and the job that is to come back knows when something will be.
  await world.deliver(id, deliverer);
  expect(endpoint.received).toHaveLength(1);
  const later = (await world.jobs()).find(({ key }) => key.endsWith(':later'));
  expect(later).toMatchObject({ webhook: id });
  expect(later?.inMs).toBeGreaterThan(30_000);
  expect(later?.inMs).toBeLessThanOrEqual(60_000);

  endpoint.behave = answering(200);
  await query(world.database.url, 'update webhook_deliveries set next_attempt_at = now()');
  await world.deliver(id, deliverer);
  expect(endpoint.ids).toEqual([operation, operation]);
  expect(endpoint.received.every((received) => verifies(secret, received))).toBe(true);
  expect(await world.deliveries(id)).toMatchObject([
    { status: 'delivered', attempts: 2, lastAttempt: { responseStatus: 200, error: null } },
  ]);
});

test('after the last attempt it is dead, and stays so until it is sent again by hand', async () => {
  const world = await WebhookWorld.open();
  const endpoint = await WebhookEndpoint.start(answering(400, {}, 'never'));
  const { id } = await world.register(endpoint.url);
  const [operation = ''] = await world.operate(1);
  await world.follow();
  await world.deliver(id);
  expect(endpoint.received).toHaveLength(3);
  expect(await world.deliveries(id)).toMatchObject([
    { status: 'dead', attempts: 3, nextAttemptAtMs: null, lastAttempt: { responseBody: 'never' } },
  ]);
  expect(world.logged).toMatchObject([
    { message: 'webhook deliveries were given up', fields: { webhook: id } },
  ]);

  expect(await world.repository.webhookDeliveries.retry(id, operation)).toMatchObject({
    status: 'pending',
    attempts: 3,
  });
  await world.deliver(id);
  // Its attempts don't begin anew: one that fails again is dead again.
  expect(await world.deliveries(id)).toMatchObject([{ status: 'dead', attempts: 4 }]);
  endpoint.behave = answering(204);
  await world.repository.webhookDeliveries.retry(id, operation);
  await world.deliver(id);
  expect(await world.deliveries(id)).toMatchObject([{ status: 'delivered', attempts: 5 }]);
  expect(endpoint.received).toHaveLength(5);
});

test('what was delivered can be sent once more; what is not there can not', async () => {
  const world = await WebhookWorld.open();
  const endpoint = await WebhookEndpoint.start();
  const { id } = await world.register(endpoint.url);
  const other = await world.register(endpoint.url, ['sale']);
  const [operation = ''] = await world.operate(1);
  await world.follow();
  await world.deliver(id);
  await world.repository.webhookDeliveries.retry(id, operation);
  await world.deliver(id);
  expect(endpoint.ids).toEqual([operation, operation]);
  const { webhookDeliveries } = world.repository;
  expect(await webhookDeliveries.retry(other.id, operation)).toBeUndefined();
  expect(await webhookDeliveries.retry(id, '0199a7c2-0000-7000-8000-000000000000')).toBeUndefined();
});

test('410: nothing more is sent, and what was pending is dead', async () => {
  const world = await WebhookWorld.open();
  const endpoint = await WebhookEndpoint.start(answering(410));
  const { id } = await world.register(endpoint.url);
  await world.operate(20);
  await world.follow();
  await world.deliver(id, world.deliverer({ concurrency: 1 }));
  await world.operate(1);
  await world.follow();
  await world.deliver(id);
  expect(await world.keeper.find(id)).toMatchObject({ disabled: { because: 'it answered 410 Gone' } });
  const deliveries = await world.deliveries(id);
  expect(deliveries).toHaveLength(20);
  expect(new Set(deliveries.map(({ status }) => status))).toEqual(new Set(['dead']));
  expect(await world.consumer.prepare()).toBeNull();
  expect(world.logged).toContainEqual({
    message: 'a webhook was disabled',
    fields: { webhook: id, because: 'it answered 410 Gone' },
  });
});

describe('an endpoint that is away', () => {
  test('that hangs is tried with a few at a time, and then left alone; the rest is not counted', async () => {
    const world = await WebhookWorld.open();
    const endpoint = await WebhookEndpoint.start(() => undefined);
    const { id } = await world.register(endpoint.url);
    await world.operate(30);
    await world.follow();
    await world.deliver(id, world.deliverer({ concurrency: 4 }, { timeoutMs: 50 }));
    expect(endpoint.received).toHaveLength(4);
    const deliveries = await world.deliveries(id);
    expect(deliveries.filter(({ attempts }) => attempts === 1)).toHaveLength(4);
    expect(deliveries.filter(({ attempts }) => attempts === 0)).toHaveLength(26);
    const webhook = await world.keeper.find(id);
    expect(webhook?.failingSinceMs).not.toBeNull();
    expect(webhook?.restingUntilMs).not.toBeNull();
    // Neither the job that comes back nor one for new operations comes before it has rested.
    await world.operate(1);
    await world.follow();
    for (const { inMs } of await world.jobs()) expect(inMs).toBeGreaterThan(0);
    await world.deliver(id);
    expect(endpoint.received).toHaveLength(4);
  });

  test('and is back gets everything, those that it has failed included', async () => {
    const world = await WebhookWorld.open();
    const endpoint = await WebhookEndpoint.start((_response, _received, { socket }) =>
      socket.resetAndDestroy(),
    );
    const { id } = await world.register(endpoint.url);
    const ids = await world.operate(100);
    await world.follow();
    await world.deliver(id);
    endpoint.behave = answering(204);
    endpoint.received.splice(0);
    await query(world.database.url, 'update webhooks set resting_until = now()');
    await world.deliver(id);
    expect([...endpoint.ids].sort()).toEqual([...ids].sort());
    expect(await world.keeper.find(id)).toMatchObject({ failingSinceMs: null, restingUntilMs: null });
  });

  test('that asks to be left alone is, for as long as it asks', async () => {
    const world = await WebhookWorld.open();
    const endpoint = await WebhookEndpoint.start(answering(429, { 'retry-after': '600' }));
    const { id } = await world.register(endpoint.url);
    await world.operate(3);
    await world.follow();
    await world.deliver(id, world.deliverer({ concurrency: 1 }));
    expect(endpoint.received).toHaveLength(1);
    const { restingUntilMs } = (await world.keeper.find(id)) ?? {};
    const { nextAttemptAtMs } = (await world.deliveries(id)).find(({ attempts }) => attempts === 1) ?? {};
    const { rows } = await query(
      world.database.url,
      `select (extract(epoch from now() + interval '10 min') * 1000)::float8 as ms`,
    );
    for (const ms of [restingUntilMs, nextAttemptAtMs])
      expect(Math.abs(Number(ms) - Number(rows[0]?.['ms']))).toBeLessThan(60_000);
  });

  test('for too long is disabled', async () => {
    const world = await WebhookWorld.open();
    const endpoint = await WebhookEndpoint.start(answering(500));
    const { id } = await world.register(endpoint.url);
    await world.operate(1);
    await world.follow();
    await query(world.database.url, `update webhooks set failing_since = now() - interval '121 hours'`);
    const disableAfterMs = 120 * 3_600_000;
    await world.deliver(id, world.deliverer({ disableAfterMs }));
    expect(await world.keeper.find(id)).toMatchObject({
      disabled: { because: 'nothing could be delivered to it for 121 hours' },
    });
    expect(await world.deliveries(id)).toMatchObject([{ status: 'dead', attempts: 1 }]);
  });

  test('does not hold up the others', async () => {
    const world = await WebhookWorld.open();
    const hanging = await WebhookEndpoint.start(() => undefined);
    const well = [await WebhookEndpoint.start(), await WebhookEndpoint.start()];
    const stuck = await world.register(hanging.url);
    const others = await Promise.all(well.map((endpoint) => world.register(endpoint.url)));
    const ids = await world.operate(100);
    await world.follow();
    const deliverer = world.deliverer({}, { timeoutMs: 60_000 });
    const stopped = new AbortController();
    const stuckRun = deliverer.run(stuck.id, stopped.signal);
    await Promise.all(others.map(({ id }) => world.deliver(id, deliverer)));
    for (const { ids: got } of well) expect([...got].sort()).toEqual([...ids].sort());
    stopped.abort();
    await stuckRun;
    expect((await world.deliveries(stuck.id)).every(({ attempts }) => attempts === 0)).toBe(true);
  });
});

test('what is broken off by a stop is not counted, and is sent by whoever comes next', async () => {
  const world = await WebhookWorld.open();
  const stopped = new AbortController();
  const endpoint = await WebhookEndpoint.start((response) => {
    if (endpoint.received.length <= 5) response.writeHead(204).end();
    else stopped.abort();
  });
  const { id } = await world.register(endpoint.url);
  const ids = await world.operate(20);
  await world.follow();
  await world.deliverer({ concurrency: 1 }).run(id, stopped.signal);
  const after = await world.deliveries(id);
  expect(after.filter(({ status }) => status === 'delivered')).toHaveLength(5);
  expect(after.filter(({ status, attempts }) => status === 'pending' && attempts === 0)).toHaveLength(15);
  expect((await world.jobs()).some(({ key, inMs }) => key.endsWith(':later') && inMs <= 0)).toBe(true);
  endpoint.behave = answering(204);
  await world.deliver(id);
  expect(new Set(endpoint.ids)).toEqual(new Set(ids));
  expect(endpoint.received).toHaveLength(21);
});

test('for a day after a rotation both secrets sign, then the new one alone', async () => {
  const world = await WebhookWorld.open();
  const endpoint = await WebhookEndpoint.start();
  const { id, secret: old } = await world.register(endpoint.url);
  const rotated = await world.keeper.rotateSecret(id);
  const fresh = rotated?.secret ?? '';
  const dayMs = (rotated?.webhook.retiredSecretUntilMs ?? 0) - (rotated?.webhook.createdAtMs ?? 0);
  expect(Math.abs(dayMs - 86_400_000)).toBeLessThan(60_000);
  await world.operate(1);
  await world.follow();
  await world.deliver(id);
  await query(world.database.url, `update webhooks set retired_until = now() - interval '1 ms'`);
  await world.operate(1);
  await world.follow();
  await world.deliver(id);
  expect(endpoint.received.map((received) => [verifies(old, received), verifies(fresh, received)])).toEqual([
    [true, true],
    [false, true],
  ]);
  expect(await world.keeper.find(id)).toMatchObject({ retiredSecretUntilMs: null });
});

test('a deleted endpoint gets nothing more, and its deliveries go', async () => {
  const world = await WebhookWorld.open();
  const endpoint = await WebhookEndpoint.start();
  const kept = await world.register(endpoint.url);
  const { id } = await world.register(endpoint.url);
  await world.operate(5);
  await world.follow();
  await world.deliver(kept.id);
  expect(await world.keeper.remove(id)).toMatchObject({ id });
  expect(await world.keeper.remove(id)).toBeUndefined();
  expect((await world.jobs()).map(({ webhook }) => webhook)).toContain(id);
  await world.deliver(id);
  expect(endpoint.received).toHaveLength(5);
  expect(await world.deliveries(id)).toEqual([]);
  expect(await world.deliveries(kept.id)).toHaveLength(5);
});

test('the log never holds a secret', async () => {
  const world = await WebhookWorld.open();
  const endpoint = await WebhookEndpoint.start((response, { headers }) => {
    response.writeHead(410).end(JSON.stringify(headers));
  });
  const { id, secret } = await world.register(endpoint.url);
  await world.operate(1);
  await world.follow();
  await world.deliver(id);
  expect(world.logged.length).toBeGreaterThan(0);
  expect(JSON.stringify(world.logged)).not.toContain(secret.slice('whsec_'.length));
  expect(JSON.stringify(await world.deliveries(id))).not.toContain(secret.slice('whsec_'.length));
});

test('with the delays of production, a delivery is tried ten times over 75 hours', () => {
  expect(retryDelaysMs).toHaveLength(9);
  expect(retryDelaysMs.reduce((sum, ms) => sum + ms, 0) / 3_600_000).toBeCloseTo(75.6, 1);
});
