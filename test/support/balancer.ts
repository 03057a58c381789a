import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runLoad, type LoadReport } from '../../load/generator.ts';
import { audit, type PurchaseRequest } from '../../load/shop.ts';
import { Api } from './api.ts';
import { BalancedReplicas, replicaPorts, shop } from './balanced-replicas.ts';
import { blocksOf } from './document-blocks.ts';
import { PrivateSystem } from './private-system.ts';
import { exchange } from './raw-http.ts';
import { KeylessWriter } from './keyless-writer.ts';
import { expectProblem, ok, quantities, receipt, type Inventory } from './resources.ts';
import { scriptedReplicaTests } from './scripted-balancer.ts';
import { StreamFollower } from './stream-follower.ts';
import { until } from './until.ts';

const url = 'http://127.0.0.1:8080';
const connections = 64;
const bodyBytesMax = 1024 * 1024;
/** How many answers there must be before harm is done, and after it is over. */
const answersAround = 1000;

/**
 * What a load balancer of deploy/ must keep to, with Debian's package of it, set up by the shell blocks of
 * DEPLOYMENT.md: in front of three replicas that are stopped, killed and started again under load; then in front of
 * scripted ones, for what it repeats and what it does not.
 *
 * `lostByAStop` is how many writes without a key may be without an answer when a replica stops.
 */
export function balancerTests(service: 'nginx' | 'haproxy', { lostByAStop }: { lostByAStop: number }): void {
  let replicas: BalancedReplicas;
  let system: PrivateSystem;
  let api: Api;
  let sent = 0;

  beforeAll(async () => {
    system = await PrivateSystem.with(service);
    replicas = await BalancedReplicas.start();
    for (const { code } of await blocksOf(service)) await system.run(code);
    api = await Api.of(url, replicas.token);
  });

  afterAll(async () => {
    (api as Api | undefined)?.close();
    await (replicas as BalancedReplicas | undefined)?.remove();
    await (system as PrivateSystem | undefined)?.remove();
  });

  /** Purchases over all connections until the harm is over and things have gone on for a while. */
  async function underLoad(harm: () => Promise<unknown>, attemptsMax: number): Promise<LoadReport> {
    let harming: Promise<unknown> | undefined;
    let left = Infinity;
    let answers = 0;
    const report = await runLoad<PurchaseRequest>({
      targets: [url],
      connections,
      path: '/v1/purchases',
      headers: replicas.headers,
      attemptsMax,
      next: () => {
        if (left <= 0) return undefined;
        left -= 1;
        sent += 1;
        const account = shop.accounts[sent % shop.accounts.length] ?? '';
        const listing = sent % 4 === 0 ? 'crown' : 'potion';
        return { key: `purchase-${sent}`, body: JSON.stringify({ account, listing }), account, listing };
      },
      onAnswer: ({ request, status }) => {
        if (status === 201) replicas.confirmed.add(request);
        answers += 1;
        if (answers !== answersAround) return;
        harming = harm().finally(() => {
          left = answersAround;
        });
      },
    });
    await harming;
    return report;
  }

  /** Fails unless every request was confirmed, and the books are what was confirmed, to the unit. */
  async function expectExact(report: LoadReport): Promise<void> {
    expect([...report.answeredByStatus]).toEqual([[201, report.answered]]);
    expect(report.unanswered).toBe(0);
    const { count } = replicas.confirmed;
    expect(await audit(replicas.database.url, shop, replicas.confirmed)).toEqual({
      expected: count,
      found: count,
      lost: 0,
      oversold: 0,
      wrongRows: 0,
    });
  }

  async function nextPurchaseAt(index: number): Promise<void> {
    const before = await replicas.purchases();
    await until('the replica is sent purchases', async () => {
      receipt(await api.purchase('visitor', 'potion'));
      return ((await replicas.purchases())[index] ?? 0) > (before[index] ?? 0);
    });
  }

  describe('in front of three replicas', () => {
    test('the feed can be followed: each event is passed on as it comes', async () => {
      const follower = await StreamFollower.open(url, { token: replicas.token });
      for (let i = 0; i < 3; i += 1) {
        const { id } = receipt(await api.grant('followed', { gold: 1 }));
        await until('its event has come', () => follower.ids.at(-1) === id);
      }
      follower.close();
    });

    test('purchases are spread over them, over connections that are kept', async () => {
      // What others have left behind on these ports waits for its time to pass as well.
      const leftBehind = await connectionsToReplicas();
      const report = await underLoad(() => Promise.resolve(), 1);
      await expectExact(report);
      let counts: number[] = [];
      await until('the logs have them all', async () => {
        counts = await replicas.purchases();
        return counts.reduce((sum, count) => sum + count, 0) === report.answered;
      });
      for (const count of counts) expect(count).toBeGreaterThan(report.answered / 6);
      // A connection for each request would leave most of them behind, waiting for their time to pass.
      expect((await connectionsToReplicas()) - leftBehind).toBeLessThan(report.answered / 4);
    });

    test('answers are those of a replica, and carry the id that its log has', async () => {
      receipt(await api.grant('visitor', { gold: 1_000_000 }));
      const named = await api.purchase('visitor', 'potion', 1, { headers: { 'x-request-id': 'order-1138' } });
      receipt(named);
      expect(named.headers['x-request-id']).toBe('order-1138');
      const unnamed = await api.inventory('visitor');
      expect(ok<Inventory>(unnamed).version).toBe(2);
      const ids = new Set(['order-1138', String(unnamed.headers['x-request-id'])]);
      await until('the logs have both', async () => (await logged(ids)) === ids.size);
      // Nobody’s log should have to hold anything: not the balancer’s either.
      const odd = await api.get('/v1/assets', { 'x-request-id': '"}{"' });
      expect(ok(odd)).toBeDefined();
      expect(odd.headers['x-request-id']).toMatch(/^[a-z0-9-]{32,36}$/i);
    });

    test('what a replica refuses is passed on as it is', async () => {
      expectProblem(await api.purchase('nobody', 'potion'), 404, 'account_not_found');
      expectProblem(await api.get('/v1/nothing'), 404, 'not_found');
      expectProblem(
        await api.call('GET', '/v1/assets', { headers: { authorization: 'Bearer no' } }),
        401,
        'unauthenticated',
      );
    });

    test('a body of 1 MiB gets through to a replica, one that is larger is refused', async () => {
      const raw = JSON.stringify({ account: 'a', assets: [] }).padEnd(bodyBytesMax);
      expectProblem(await api.call('POST', '/v1/grants', { raw }), 400, 'invalid_request');
      // Only the beginning of it: who goes on sending may not get to read the answer.
      const refused = await exchange(
        url,
        `POST /v1/grants?dryRun=true HTTP/1.1\r\nhost: shop\r\nx-request-id: large\r\ncontent-type: application/json\r\ncontent-length: ${bodyBytesMax + 1}\r\n\r\n${' '.repeat(32_768)}`,
      );
      expect(refused?.status).toBe(413);
      expect(refused?.headers).toMatchObject({
        'content-type': 'application/problem+json',
        'x-request-id': 'large',
      });
      expect(JSON.parse(refused?.body ?? '')).toEqual({
        type: '/docs/errors#payload_too_large',
        title: 'Payload too large',
        status: 413,
        code: 'payload_too_large',
        detail: 'a body may have 1 MiB at most',
        instance: '/v1/grants',
        requestId: 'large',
        retryable: false,
      });
    });

    test('a replica that is stopped by SIGTERM under load costs no request, and is sent some again when it is back', async () => {
      const leaving = replicas.at(3002);
      const report = await underLoad(async () => {
        leaving.kill('SIGTERM');
        await leaving.ended;
      }, 1);
      expect(await leaving.ended).toEqual({ code: 0, signal: null });
      expect(report.retries).toBe(0);
      await expectExact(report);
      await replicas.start(3002);
      await nextPurchaseAt(1);
    });

    test('one that is killed by SIGKILL under load loses nothing for clients that ask again under their keys', async () => {
      const victim = replicas.at(3003);
      const report = await underLoad(async () => {
        victim.kill('SIGKILL');
        await victim.ended;
      }, 50);
      expect(await victim.ended).toEqual({ code: null, signal: 'SIGKILL' });
      await expectExact(report);
      await replicas.start(3003);
      await nextPurchaseAt(2);
    });

    test('what is written without keys while replicas stop and die is applied once, or not at all where no answer came', async () => {
      const writers = Array.from(
        { length: connections },
        (_, i) => new KeylessWriter(url, replicas.token, `keyless-${i}`),
      );
      const harmed = new AbortController();
      const writing = writers.map(async (writer) => {
        await writer.writeUntil(harmed.signal);
      });
      const [stopped, killed] = [replicas.at(3001), replicas.at(3002)];
      try {
        await until('they write', () => writers.every(({ confirmed }) => confirmed > 0));
        stopped.kill('SIGTERM');
        await stopped.ended;
        const whileStopping = writers.reduce((sum, { unknown }) => sum + unknown, 0);
        expect(whileStopping).toBeLessThanOrEqual(lostByAStop);
        killed.kill('SIGKILL');
        await killed.ended;
      } finally {
        harmed.abort();
        await Promise.all(writing);
      }
      for (const { account, confirmed, unknown } of writers) {
        const { gold = 0 } = quantities(ok<Inventory>(await api.inventory(account)));
        expect(gold, account).toBeGreaterThanOrEqual(confirmed);
        expect(gold, account).toBeLessThanOrEqual(confirmed + unknown);
      }
      await replicas.start(3001);
      await replicas.start(3002);
    });

    test('each POST that is published takes a key, or is one of those that the balancer never repeats', () => {
      const unkeyed = Object.entries(api.published.document.paths)
        .filter(
          ([, { post }]) => post?.parameters?.every(({ name }) => !/^idempotency-key$/i.test(name)) ?? post,
        )
        .map(([path]) => path);
      expect(unkeyed.filter((path) => !/^\/v1\/(api-keys|webhooks|verifications)(\/|$)/.test(path))).toEqual(
        [],
      );
      expect(unkeyed.length).toBeGreaterThan(0);
    });
  });

  scriptedReplicaTests(url, {
    free: async () => {
      for (const port of replicaPorts) await replicas.at(port).stop();
    },
  });

  /** How many of these request ids the replicas have logged. */
  async function logged(ids: ReadonlySet<string>): Promise<number> {
    const all = await Promise.all(replicaPorts.map(async (port) => await replicas.requests(port)));
    const found = all.flat().filter(({ requestId }) => ids.has(requestId));
    return new Set(found.map(({ requestId }) => requestId)).size;
  }
}

/** Connections to the replicas that the machine knows of, those included that are over and wait for their time to pass. */
async function connectionsToReplicas(): Promise<number> {
  const ports = new Set(replicaPorts.map((port) => port.toString(16).toUpperCase().padStart(4, '0')));
  const [, ...lines] = (await readFile('/proc/net/tcp', 'utf8')).trim().split('\n');
  return lines.filter((line) => ports.has(line.trim().split(/\s+/)[2]?.split(':')[1] ?? '')).length;
}
