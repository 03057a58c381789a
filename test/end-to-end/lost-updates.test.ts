import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { lines } from '../support/api.ts';
import { createTestDatabase } from '../support/database.ts';
import { HttpClient, type HttpAnswer } from '../support/http-client.ts';
import { openMarket } from '../support/market.ts';
import { query } from '../support/query.ts';
import { ok, quantities, type Inventory } from '../support/resources.ts';
import { adminApiKey, serveReplicas } from '../support/served-replicas.ts';

/** A service of two instances on one database, that can add one to an account. */
interface Counters {
  /** Sends an increment to one of the instances. */
  increment(instance: number, account: string): Promise<HttpAnswer>;
  total(account: string): Promise<number>;
}

const accounts = ['hot', 'warm', 'tepid'];
const clients = 24;
const rounds = 15;

/** Many clients begin at the same moment and add ones over both instances. What was acknowledged must be found. */
async function contend(counters: Counters): Promise<{ acknowledged: number; found: number }> {
  const gate = Promise.withResolvers<undefined>();
  let acknowledged = 0;
  const working = Array.from({ length: clients }, async (_, client) => {
    await gate.promise;
    for (let round = 0; round < rounds; round += 1) {
      const answer = await counters.increment(
        (client + round) % 2,
        accounts[(client * round) % accounts.length] ?? '',
      );
      expect(answer.status, answer.bytes.toString()).toBe(201);
      acknowledged += 1;
    }
  });
  gate.resolve(undefined);
  await Promise.all(working);
  const totals = await Promise.all(accounts.map((account) => counters.total(account)));
  return { acknowledged, found: totals.reduce((sum, total) => sum + total, 0) };
}

const close: (() => void | Promise<void>)[] = [];

afterAll(async () => {
  for (const step of close) await step();
});

test('Holdfast, two replicas: no update is lost', async () => {
  const { apis, replicas } = await serveReplicas(2);
  const [api] = apis;
  if (api === undefined) throw new Error('there are two');
  await openMarket(api);
  const senders = replicas.map(({ url }) => new HttpClient(url));
  close.push(() => {
    for (const sender of senders) sender.close();
  });
  const { acknowledged, found } = await contend({
    increment: async (instance, account) =>
      await post(senders, instance, '/v1/grants', { account, assets: lines({ gold: 1 }) }),
    total: async (account) => quantities(ok<Inventory>(await api.inventory(account)))['gold'] ?? 0,
  });
  expect(acknowledged).toBe(clients * rounds);
  expect(found).toBe(acknowledged);
});

test('the negative control, two instances that read, then write: updates are lost', async () => {
  const database = await createTestDatabase();
  const senders = [await startUnsafe(database.url), await startUnsafe(database.url)];
  const { acknowledged, found } = await contend({
    increment: async (instance, account) => await post(senders, instance, '/increments', { account }),
    total: async (account) => {
      const { rows } = await query(
        database.url,
        'select balance::int from unsafe_balances where account = $1',
        [account],
      );
      return Number(rows[0]?.['balance'] ?? 0);
    },
  });
  expect(acknowledged).toBe(clients * rounds);
  expect(found, 'a test that the unsafe variant passes proves nothing').toBeLessThan(acknowledged);
});

async function post(
  senders: readonly HttpClient[],
  instance: number,
  path: string,
  body: unknown,
): Promise<HttpAnswer> {
  const sender = senders[instance];
  if (sender === undefined) throw new Error('there is such an instance');
  const headers = { authorization: `Bearer ${adminApiKey}`, 'content-type': 'application/json' };
  return await sender.send({ method: 'POST', path, headers, body: JSON.stringify(body) });
}

async function startUnsafe(databaseUrl: string): Promise<HttpClient> {
  const file = fileURLToPath(new URL('../support/unsafe-shop-process.ts', import.meta.url));
  const child = fork(file, [databaseUrl]);
  const [message] = (await once(child, 'message')) as [{ url: string }];
  const client = new HttpClient(message.url);
  close.push(async () => {
    client.close();
    const ended = once(child, 'exit');
    child.send('stop');
    await ended;
  });
  return client;
}
