import type { AuditedRule } from '../../load/audits/reward-audit.ts';
import type { AuditedWebhook } from '../../load/audits/delivery-audit.ts';
import { Api } from './api.ts';
import { openWorkload } from './audit.ts';
import { BusyClients } from './busy-clients.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { JudgingEndpoint, type Temper } from './judging-endpoint.ts';
import { LastingFollower } from './lasting-follower.ts';
import { NatsServer } from './nats-server.ts';
import { query } from './query.ts';
import { Random } from './random.ts';
import { ReadinessBalancer } from './readiness-balancer.ts';
import { ReplicaFleet } from './replica-fleet.ts';
import { ok } from './resources.ts';
import { adminApiKey } from './served-replicas.ts';

/** One without a limit, one about one listing with a limit that is soon reached, and one about an asset. */
const rules: readonly Omit<AuditedRule, 'since'>[] = [
  { id: 'shopper', on: { type: 'purchase' }, grant: [{ asset: 'xp', quantity: 10 }] },
  {
    id: 'armourer',
    on: { type: 'purchase', listing: 'sword' },
    grant: [
      { asset: 'gold', quantity: 2 },
      { asset: 'xp', quantity: 5 },
    ],
    dailyLimit: 5,
  },
  {
    id: 'generous',
    on: { type: 'transfer', asset: 'gem' },
    grant: [{ asset: 'gem', quantity: 1 }],
    dailyLimit: 2,
  },
];

/** One that is well, one that fails now and then and wants some, and one that takes its time. */
const wanted: readonly { types: readonly string[] | null; temper: Temper }[] = [
  { types: null, temper: {} },
  { types: ['purchase', 'reward'], temper: { failing: 0.02 } },
  { types: null, temper: { answerMsMax: 20 } },
];

/** The limited listing has a tenth of it in stock. */
const stockFor = 5000;

export interface WorldWebhook extends AuditedWebhook {
  readonly endpoint: JudgingEndpoint;
}

interface Parts {
  readonly database: TestDatabase;
  readonly nats: NatsServer;
  readonly fleet: ReplicaFleet;
  readonly balancer: ReadinessBalancer;
  readonly endpoints: readonly JudgingEndpoint[];
}

/**
 * Three replicas that do all that a replica can do beside answering: rewards, webhooks, the relay to a broker, streams.
 * Everything around them is real and outlives them.
 */
export class BusyWorld {
  readonly database: TestDatabase;
  readonly nats: NatsServer;
  readonly fleet: ReplicaFleet;
  readonly balancer: ReadinessBalancer;
  readonly clients: BusyClients;
  readonly follower: LastingFollower;
  readonly rules: readonly AuditedRule[];
  readonly webhooks: readonly WorldWebhook[];
  /** The last position in the feed before the clients come. */
  readonly since: number;

  static async start(seed: number, env: Readonly<Record<string, string>> = {}): Promise<BusyWorld> {
    const random = new Random(seed);
    const database = await createTestDatabase();
    const nats = await NatsServer.start();
    const endpoints = await Promise.all(
      wanted.map(async ({ temper }) => await JudgingEndpoint.start(random, temper)),
    );
    const fleet = await ReplicaFleet.start(3, {
      databaseUrl: database.url,
      env: {
        NATS_URL: nats.url,
        WEBHOOK_ALLOW_PRIVATE: 'true',
        JOB_POLL_INTERVAL: '500ms',
        ...env,
      },
    });
    const balancer = new ReadinessBalancer(fleet.urls, random);
    const parts = { database, nats, fleet, balancer, endpoints };
    try {
      return await BusyWorld.#putUp(parts, seed);
    } catch (error) {
      await removeParts(parts);
      throw error;
    }
  }

  static async #putUp(parts: Parts, seed: number): Promise<BusyWorld> {
    const { database, balancer, endpoints } = parts;
    const api = await Api.of((await balancer.pick()).origin, adminApiKey);
    await openWorkload(api, stockFor);
    ok(await api.put('/v1/assets/xp', { name: 'Experience', kind: 'stat' }), 201);
    const { rows } = await query(database.url, 'select max(position) as last from operations');
    const since = Number(rows[0]?.['last']);
    for (const { id, ...rule } of rules) ok(await api.put(`/v1/reward-rules/${id}`, rule), 201);
    const promised = [];
    for (const [index, { types }] of wanted.entries()) {
      const endpoint = endpoints[index];
      if (endpoint === undefined) throw new Error('each webhook has an endpoint');
      const asked = { url: endpoint.url, ...(types === null ? {} : { types }) };
      const { secret } = ok<{ secret: string }>(await api.post('/v1/webhooks', asked), 201);
      endpoint.secret = secret;
      promised.push({ endpoint, types, since });
    }
    api.close();
    return new BusyWorld({
      ...parts,
      seed,
      since,
      rules: rules.map((rule) => ({ ...rule, since })),
      webhooks: promised,
    });
  }

  private constructor(
    world: Parts & Pick<BusyWorld, 'rules' | 'webhooks' | 'since'> & { readonly seed: number },
  ) {
    this.database = world.database;
    this.nats = world.nats;
    this.fleet = world.fleet;
    this.balancer = world.balancer;
    this.rules = world.rules;
    this.webhooks = world.webhooks;
    this.since = world.since;
    this.follower = new LastingFollower(world.balancer);
    this.clients = new BusyClients({ balancer: world.balancer, stockFor, seed: world.seed });
  }

  /** Resolves when the balancer has chosen this replica for so many more requests. */
  async serves(index: number, requests = 20): Promise<void> {
    await this.balancer.chosen(this.fleet.urls[index] ?? '', requests);
  }

  /** The place of the replica that worked this consumer last; undefined: it does not run any more. */
  async workerOf(consumer: string): Promise<number | undefined> {
    const { rows } = await query(this.database.url, 'select owner from consumers where name = $1', [
      consumer,
    ]);
    const owner = String(rows[0]?.['owner']);
    const [found] = [...this.fleet.processes].filter(([, { pid }]) => owner.endsWith(`:${pid}`));
    return found?.[0];
  }

  async remove(): Promise<void> {
    await this.clients.end().catch(() => undefined);
    await this.follower.close();
    const { nats, fleet, balancer, webhooks } = this;
    await removeParts({ nats, fleet, balancer, endpoints: webhooks.map(({ endpoint }) => endpoint) });
  }
}

async function removeParts({ nats, fleet, balancer, endpoints }: Omit<Parts, 'database'>): Promise<void> {
  await balancer.close();
  await fleet.remove();
  await Promise.all(endpoints.map(async (endpoint) => await endpoint.close()));
  await nats.remove();
}
