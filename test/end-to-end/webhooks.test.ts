import { afterEach, expect, test } from 'vitest';
import type { Api } from '../support/api.ts';
import { openMarket } from '../support/market.ts';
import { ok, receipt } from '../support/resources.ts';
import { serveReplicas } from '../support/served-replicas.ts';
import { until } from '../support/until.ts';
import { answering, verifies, WebhookEndpoint } from '../support/webhook-endpoint.ts';

const registered: { api: Api; id: string }[] = [];

// Before the endpoints close, whose own hook was registered earlier: nobody is to be sent to any more.
afterEach(async () => {
  for (const { api, id } of registered.splice(0)) await api.call('DELETE', `/v1/webhooks/${id}`);
});

async function register(api: Api, { url }: WebhookEndpoint): Promise<{ id: string; secret: string }> {
  const webhook = ok<{ id: string; secret: string }>(await api.post('/v1/webhooks', { url }), 201);
  registered.push({ api, id: webhook.id });
  return webhook;
}

test('every operation reaches every endpoint, though one hangs, one fails at first, and a replica is killed', async () => {
  const { replicas } = await serveReplicas(2, { WEBHOOK_ALLOW_PRIVATE: 'true' });
  const [one, other] = replicas;
  if (one === undefined || other === undefined) throw new Error('there are two');
  await openMarket(other.api);
  const failed = new Set<string>();
  const hanging = await WebhookEndpoint.start(() => undefined);
  const well = await WebhookEndpoint.start();
  const failing = await WebhookEndpoint.start((response, received, request) => {
    const id = received.headers['webhook-id'] ?? '';
    const first = failed.size < 5 && !failed.has(id);
    if (first) failed.add(id);
    answering(first ? 500 : 200)(response, received, request);
  });
  await register(other.api, hanging);
  const secrets = new Map([
    [well, (await register(other.api, well)).secret],
    [failing, (await register(other.api, failing)).secret],
  ]);
  const ids = new Set<string>();
  const operate = async (api: Api, count: number): Promise<void> => {
    for (let i = 0; i < count; i += 1) ids.add(receipt(await api.grant(`p${i % 7}`, { gold: 1 })).id);
  };
  await Promise.all([operate(one.api, 100), operate(other.api, 100)]);
  await until('something was delivered', () => well.received.length > 20);
  one.kill('SIGKILL');
  await one.ended;
  await operate(other.api, 50);
  for (const [endpoint, secret] of secrets) {
    await until('all were delivered', () => new Set(endpoint.ids).size === ids.size, 60_000);
    expect(new Set(endpoint.ids)).toEqual(ids);
    expect(endpoint.received.every((received) => verifies(secret, received))).toBe(true);
  }
  expect(failed.size).toBe(5);
}, 120_000);
