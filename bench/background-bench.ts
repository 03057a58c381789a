import path from 'node:path';
import { runLoad, type LoadReport } from '../load/generator.ts';
import { startHoldfast } from '../load/holdfast-service.ts';
import { accountNames, limitedListing, unlimitedListing, type Shop, type ShopService } from '../load/shop.ts';
import { execute, startThrowawayPostgres } from '../load/throwaway-postgres.ts';
import { consumersOf, putUpFollowers, WebhookSink, type ConsumerFigures } from './followed-service.ts';

export interface BackgroundBenchOptions {
  readonly seconds: number;
  readonly rounds: number;
  readonly connections: number;
  /** The part of the purchases that earns a reward, 0 to 1. */
  readonly rewarded: number;
  /** The types of operations that the webhook gets; none: all. */
  readonly types: readonly string[];
  readonly natsUrl: string;
  readonly onProgress: (fraction: number, label: string) => void;
  readonly signal: AbortSignal;
}

/** One round: the neighbours that are compared stand side by side. */
export interface BackgroundRound {
  /** Purchases a second, as many as there can be: without background work, and with it but nothing configured. */
  readonly withoutPerSecond: number;
  readonly idlePerSecond: number;
  /** The same with rewards, a webhook and the relay; how far behind that leaves the consumers, and for how long. */
  readonly busy: {
    readonly perSecond: number;
    readonly lagAtEnd: number;
    readonly behindSecondsAtEnd: number;
    readonly caughtUpSeconds: number;
  };
  /** At half of what there can be with nothing configured: so, and with all of it. */
  readonly idleMs: Quantiles;
  readonly busyMs: Quantiles;
  /** The most that any consumer was behind meanwhile. */
  readonly behindSecondsMax: number;
}

/** Of how long purchases took, in ms. */
export interface Quantiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

export interface BackgroundBenchResult {
  readonly rounds: readonly BackgroundRound[];
  /** To the webhook, in all. */
  readonly deliveries: number;
}

const plenty = 1_000_000_000;
const shop: Shop = { accounts: accountNames(1000), gold: plenty, price: 10, stock: plenty };
const entry = path.resolve(import.meta.dirname, '../src/main.ts');
/** As in production: in development consumers and jobs would wait for each other's connections. */
const connections = { DB_MAX_CONNS: '20', DB_BACKGROUND_CONNS: '6' };
const sampleMs = 250;
/** Before a measurement at half of the rate: whoever comes from rest has cold caches, and whoever comes from a full load has none. */
const warmUpSecondsMax = 3;
const catchUpMsMax = 300_000;

/**
 * What background work costs those who call: three replicas on three databases of one PostgreSQL, one without it, one
 * with it and nothing configured, one with rewards, a webhook and the relay. They have their turns one after another, and
 * who is first changes with each round.
 */
export async function benchBackground(options: BackgroundBenchOptions): Promise<BackgroundBenchResult> {
  const { onProgress, signal, natsUrl } = options;
  onProgress(0, 'starting PostgreSQL and the replicas');
  const postgres = await startThrowawayPostgres({
    purpose: 'bench-background',
    log: { info: () => undefined, warn: () => undefined },
  });
  const sink = await WebhookSink.start();
  const services: ShopService[] = [];
  const start = async (name: string, settings: Readonly<Record<string, string>>): Promise<ShopService> => {
    const databaseUrl = await postgres.createDatabase(name);
    const service = await startHoldfast({
      entry,
      databaseUrl,
      replicas: 1,
      shop,
      settings: { ...connections, ...settings },
    });
    services.push(service);
    return service;
  };
  try {
    signal.throwIfAborted();
    const without = await start('without_background', { BACKGROUND_WORK: 'false' });
    const idle = await start('idle_background', {});
    const busy = await start('busy_background', { NATS_URL: natsUrl, WEBHOOK_ALLOW_PRIVATE: 'true' });
    await postgres.makeWalSegments();
    await putUpFollowers(busy, { sink, types: options.types });
    const steps = options.rounds * 7 + 3;
    let step = 0;
    const run = async (
      service: ShopService,
      label: string,
      { perSecond, seconds = options.seconds }: { perSecond?: number; seconds?: number } = {},
    ): Promise<LoadReport> => {
      onProgress(step / steps, label);
      const report = await buy(service, { ...options, seconds }, { name: `${step}`, perSecond });
      step += 1;
      return report;
    };
    for (const service of services) await run(service, 'warm-up');
    await caughtUp(busy, signal);
    const rounds: BackgroundRound[] = [];
    for (let round = 1; round <= options.rounds; round += 1) {
      const of = `round ${round} of ${options.rounds}`;
      const inTurns = round % 2 === 0 ? reversed : forwards;
      const [withoutPerSecond, [idlePerSecond, full]] = await inTurns(
        async () => rateOf(await run(without, `${of}: without background work`)),
        async () =>
          await inTurns(
            async () => rateOf(await run(idle, `${of}: nothing configured`)),
            async () => {
              const perSecond = rateOf(await run(busy, `${of}: all of it`));
              const atEnd = await consumersOf(busy);
              return {
                perSecond,
                lagAtEnd: Math.max(...atEnd.map(({ lag }) => lag)),
                behindSecondsAtEnd: Math.max(...atEnd.map(({ behindSeconds }) => behindSeconds)),
                caughtUpSeconds: await caughtUp(busy, signal),
              };
            },
          ),
      );
      const perSecond = idlePerSecond / 2;
      const atHalf = async (service: ShopService, label: string): Promise<Quantiles> => {
        await run(service, `${label}: warm-up`, {
          perSecond,
          seconds: Math.min(warmUpSecondsMax, options.seconds),
        });
        return quantilesOf(await run(service, label, { perSecond }));
      };
      const [idleMs, { busyMs, behindSecondsMax }] = await inTurns(
        async () => await atHalf(idle, `${of}: half of that, nothing configured`),
        async () => {
          const lags = sampleLag(busy);
          const busyMs = await atHalf(busy, `${of}: half of that, with all of it`);
          const behindSecondsMax = await lags.stop();
          await caughtUp(busy, signal);
          return { busyMs, behindSecondsMax };
        },
      );
      rounds.push({ withoutPerSecond, idlePerSecond, busy: full, idleMs, busyMs, behindSecondsMax });
    }
    return { rounds, deliveries: await sink.deliveries() };
  } finally {
    await Promise.all(services.map(async (service) => await service.stop()));
    await sink.stop();
    await postgres.remove();
  }
}

/** Purchases for so long; throws where one was not confirmed. */
async function buy(
  { replicas, headers, databaseUrl }: ShopService,
  { seconds, connections, rewarded, signal }: BackgroundBenchOptions,
  { name, perSecond }: { name: string; perSecond: number | undefined },
): Promise<LoadReport> {
  // Nobody is to pay for what another has left in the buffers.
  await execute(databaseUrl, 'checkpoint');
  const endMs = performance.now() + seconds * 1000;
  let sent = 0;
  return await runLoad({
    targets: replicas.map(({ url }) => url),
    connections,
    path: '/v1/purchases',
    headers,
    ...(perSecond === undefined ? {} : { perSecond }),
    next: () => {
      if (performance.now() >= endMs) return undefined;
      sent += 1;
      const account = shop.accounts[Math.floor(Math.random() * shop.accounts.length)];
      const listing = Math.random() < rewarded ? limitedListing : unlimitedListing;
      return { key: `${name}-${sent}`, body: JSON.stringify({ account, listing }) };
    },
    onAnswer: ({ status, body }) => {
      if (status !== 201) throw new Error(`a purchase was answered ${status}: ${body.toString()}`);
    },
    onUnanswered: (_request, reason) => {
      throw new Error('a purchase was not answered', { cause: reason });
    },
    signal,
  });
}

/** Looks now and then how far behind the consumers are, until it is stopped; answers the most. */
function sampleLag(service: ShopService): { stop: () => Promise<number> } {
  const over = new AbortController();
  const sampling = (async () => {
    let most = 0;
    while (!over.signal.aborted) {
      for (const { behindSeconds } of await consumersOf(service)) most = Math.max(most, behindSeconds);
      await pause();
    }
    return most;
  })();
  // Told to whoever stops it.
  sampling.catch(() => undefined);
  return {
    stop: async () => {
      over.abort();
      return await sampling;
    },
  };
}

/** Resolves when no consumer is behind, with how long that took. Throws when one has parked something. */
async function caughtUp(service: ShopService, signal: AbortSignal): Promise<number> {
  const beganMs = performance.now();
  for (;;) {
    signal.throwIfAborted();
    const consumers = await consumersOf(service);
    const parked = consumers.find((consumer) => consumer.parked > 0);
    if (parked !== undefined) throw new Error(`${parked.name} has parked ${parked.parked} operations`);
    if (consumers.length > 0 && consumers.every(({ lag }: ConsumerFigures) => lag === 0))
      return (performance.now() - beganMs) / 1000;
    if (performance.now() - beganMs > catchUpMsMax)
      throw new Error(`consumers were still behind after ${catchUpMsMax} ms: ${JSON.stringify(consumers)}`);
    await pause();
  }
}

async function pause(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, sampleMs));
}

async function forwards<A, B>(first: () => Promise<A>, second: () => Promise<B>): Promise<[A, B]> {
  return [await first(), await second()];
}

async function reversed<A, B>(first: () => Promise<A>, second: () => Promise<B>): Promise<[A, B]> {
  const last = await second();
  return [await first(), last];
}

function quantilesOf({ latencies }: LoadReport): Quantiles {
  return {
    p50: latencies.quantileMs(0.5),
    p90: latencies.quantileMs(0.9),
    p99: latencies.quantileMs(0.99),
  };
}

function rateOf({ answered, elapsedMs }: LoadReport): number {
  return answered / (elapsedMs / 1000);
}
