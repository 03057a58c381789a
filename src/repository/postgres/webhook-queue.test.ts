import { expect, test } from 'vitest';
import { query } from '../../../test/support/query.ts';
import { holdLock } from '../../../test/support/row-lock.ts';
import { until } from '../../../test/support/until.ts';
import { WebhookWorld } from '../../../test/support/webhook-world.ts';
import { answering, WebhookEndpoint } from '../../../test/support/webhook-endpoint.ts';

const url = 'http://127.0.0.1:1/';
const dayMs = 86_400_000;
const failed = { responseStatus: null, responseBody: null, error: 'of a test' };
const { signal } = new AbortController();

/** Deliveries of so many operations that are not there, at these positions. */
async function fill(
  world: WebhookWorld,
  webhook: string,
  { from, count, status, agoDays }: { from: number; count: number; status: string; agoDays: number },
): Promise<void> {
  await query(
    world.database.url,
    `insert into webhook_deliveries (webhook, position, operation, status, created_at, next_attempt_at, finished_at)
     select $1, n, gen_random_uuid(), $4, now() - $5 * interval '1 day',
       case when $4 = 'pending' then now() end, case when $4 <> 'pending' then now() - $5 * interval '1 day' end
     from generate_series($2::bigint, $2::bigint + $3 - 1) as n`,
    [webhook, from, count, status, agoDays],
  );
}

async function left(world: WebhookWorld): Promise<Record<string, number>> {
  const { rows } = await query(
    world.database.url,
    `select webhook::text, count(*)::int as count from webhook_deliveries group by webhook`,
  );
  return Object.fromEntries(rows.map(({ webhook, count }) => [String(webhook), Number(count)]));
}

test('what was finished long ago is pruned, in portions; what is pending or young stays', async () => {
  const world = await WebhookWorld.open();
  const { id } = await world.register(url);
  const { id: quiet } = await world.register(url);
  const { id: gone } = await world.register(url);
  await fill(world, id, { from: 0, count: 25, status: 'delivered', agoDays: 9 });
  await fill(world, id, { from: 25, count: 12, status: 'pending', agoDays: 9 });
  await fill(world, id, { from: 37, count: 25, status: 'dead', agoDays: 9 });
  await fill(world, id, { from: 62, count: 25, status: 'delivered', agoDays: 1 });
  await fill(world, quiet, { from: 5, count: 3, status: 'delivered', agoDays: 1 });
  await fill(world, gone, { from: 5, count: 33, status: 'pending', agoDays: 1 });
  await world.keeper.remove(gone);
  expect(await world.repository.webhookQueue.prune(7 * dayMs, 10, signal)).toBe(25 + 25 + 33);
  expect(await left(world)).toEqual({ [id]: 12 + 25, [quiet]: 3 });
  expect(await world.repository.webhookQueue.prune(7 * dayMs, 10, signal)).toBe(0);
});

test('an endpoint that has waited for too long is woken; one that has nothing due, or rests, is not', async () => {
  const world = await WebhookWorld.open();
  const ids: string[] = [];
  for (let i = 0; i < 3; i += 1) ids.push((await world.register(url)).id);
  for (const id of ids) await fill(world, id, { from: 0, count: 2, status: 'pending', agoDays: 0 });
  const [late = '', soon = '', resting = ''] = ids;
  const due = `update webhook_deliveries set next_attempt_at = now() - $2 * interval '1 second' where webhook = $1`;
  await query(world.database.url, due, [late, 90]);
  await query(world.database.url, due, [soon, 30]);
  await query(world.database.url, due, [resting, 90]);
  await query(
    world.database.url,
    `update webhooks set resting_until = now() + interval '1 min' where id = $1`,
    [resting],
  );
  expect(await world.repository.webhookQueue.wakeOverdue(60_000)).toEqual([late]);
  expect((await world.jobs()).map(({ key }) => key)).toEqual([`webhook:${late}`]);
});

test('however often it is asked for, an endpoint has two jobs at most', async () => {
  const world = await WebhookWorld.open();
  const endpoint = await WebhookEndpoint.start(answering(500));
  const { id } = await world.register(endpoint.url);
  const retries = { attemptsMax: 9, delaysMs: [60_000], random: () => 0 };
  for (let page = 0; page < 5; page += 1) {
    await world.operate(70);
    await world.follow();
    await world.deliver(id, world.deliverer({ retries }));
  }
  expect((await world.jobs()).map(({ key }) => key)).toEqual([`webhook:${id}`, `webhook:${id}:later`]);
});

/**
 * Rows of the deliveries that were read by a scan of the whole table, and by their indexes. Sessions hand in their counts
 * when they end.
 */
async function reads({ database: { url: on } }: WebhookWorld): Promise<{ scanned: number; probed: number }> {
  await until('the sessions have ended', async () => {
    const sessions = `select count(*)::int as count from pg_stat_activity where application_name = 'webhooks' and datname = current_database()`;
    return (await query(on, sessions)).rows[0]?.['count'] === 0;
  });
  const { rows } = await query(
    on,
    `select seq_tup_read::float8 as scanned, idx_tup_fetch::float8 as probed
     from pg_stat_user_tables where relname = 'webhook_deliveries'`,
  );
  return { scanned: Number(rows[0]?.['scanned']), probed: Number(rows[0]?.['probed']) };
}

test('who retries by hand locks the endpoint before the delivery, as who records outcomes does: neither is a deadlock', async () => {
  const world = await WebhookWorld.open();
  const { id } = await world.register(url);
  const [operation = ''] = await world.operate(1);
  await world.follow();
  const { webhookQueue, webhookDeliveries } = world.repository;
  const [{ position } = { position: NaN }] = await world.deliveries(id);
  const outcome = { position, status: 'pending', retryInMs: 0, durationMs: 1, ...failed } as const;
  const endpointRow = `select from webhooks where id = $1 for update`;
  const deliveryRow = `select from webhook_deliveries where webhook = $1 for update`;

  // Someone has the delivery: who records has the endpoint by then.
  const delivery = await holdLock(world.database.url, deliveryRow, [id]);
  const recording = webhookQueue.record(id, [outcome], { well: false, restMs: 60_000 });
  await delivery.waitedFor();
  await expect(query(world.database.url, `${endpointRow} nowait`, [id])).rejects.toThrow(
    'could not obtain lock',
  );
  await delivery.release();
  await recording;

  // Someone has the endpoint: who retries has no delivery.
  const endpoint = await holdLock(world.database.url, endpointRow, [id]);
  const retrying = webhookDeliveries.retry(id, operation);
  await endpoint.waitedFor();
  expect((await query(world.database.url, `${deliveryRow} nowait`, [id])).rows).toHaveLength(1);
  await endpoint.release();
  expect(await retrying).toMatchObject({ operation, status: 'pending', attempts: 1 });
});

test('of a big table no more is read than is asked for', async () => {
  const world = await WebhookWorld.open();
  const endpoint = await WebhookEndpoint.start();
  const { id } = await world.register(endpoint.url);
  const { id: other } = await world.register(url);
  const rowsEach = 40_000;
  await fill(world, id, { from: -rowsEach, count: rowsEach, status: 'delivered', agoDays: 1 });
  await fill(world, other, { from: -rowsEach, count: rowsEach, status: 'pending', agoDays: 0 });
  const operations = await world.operate(100);
  await world.follow();
  const { webhookQueue, webhookDeliveries } = world.repository;
  await world.deliver(id);
  expect(endpoint.received).toHaveLength(100);
  await webhookDeliveries.list(id, { before: 0, limit: 50, dead: false });
  await webhookDeliveries.list(id, { before: null, limit: 50, dead: true });
  await webhookDeliveries.retry(id, operations[0] ?? '');
  await webhookQueue.wakeOverdue(60_000);
  await webhookQueue.bury(other, 'of a test', 100);
  await webhookQueue.forget(other, 100);
  await webhookQueue.prune(7 * dayMs, 100, signal);
  // Each is read a few times: when it is due, sent, recorded; listed, pruned.
  await world.close();
  const { scanned, probed } = await reads(world);
  expect(scanned).toBe(0);
  expect(probed).toBeGreaterThan(300);
  expect(probed).toBeLessThan(3_000);
}, 60_000);
