import { runLoad } from '../load/generator.ts';
import {
  audit,
  type ConfirmedPurchases,
  type ListingName,
  type PurchaseRequest,
  type Shop,
  type ShopService,
} from '../load/shop.ts';
import { execute, select } from '../load/throwaway-postgres.ts';
import { cpuTimes, difference } from './cpu-time.ts';

/** A service under measurement, with what it has confirmed since it was put up. */
export interface Contestant {
  readonly name: 'row-lock' | 'holdfast';
  readonly service: ShopService;
  readonly confirmed: ConfirmedPurchases;
}

/** What one round of one service came to. */
export interface RoundResult {
  readonly purchases: number;
  readonly purchasesPerSecond: number;
  readonly latencyMs: {
    readonly p50: number;
    readonly p90: number;
    readonly p99: number;
    readonly max: number;
  };
  /** Processor time for each purchase. */
  readonly cpuUs: { readonly server: number; readonly postgres: number; readonly client: number };
}

export interface RoundOptions {
  readonly contestant: Contestant;
  readonly shop: Shop;
  readonly listing: ListingName;
  readonly seconds: number;
  readonly connections: number;
  /** Begins the key of every request; a round has one of its own. */
  readonly name: string;
  readonly postgres: number;
  readonly onProgress: (fraction: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Buys for so long, and answers what came of it. Throws when a purchase was not confirmed or the books are not exact:
 * how fast a service is wrong is of no interest.
 */
export async function runRound(options: RoundOptions): Promise<RoundResult> {
  const { contestant, shop, seconds, connections, postgres, onProgress, signal } = options;
  const { service, confirmed } = contestant;
  const [server] = service.replicas;
  if (server === undefined) throw new Error('there is no server');
  // Neither service is to pay for what the other has left in the buffers.
  await execute(service.databaseUrl, 'checkpoint');
  const processes = { server: server.pid, postgres };
  const before = await cpuTimes(processes);
  const report = await runLoad({
    targets: [server.url],
    connections,
    path: '/v1/purchases',
    headers: service.headers,
    next: purchasesUntil(performance.now() + seconds * 1000, options),
    onAnswer: ({ request, status, body }) => {
      if (status !== 201) throw new Error(`a purchase was answered ${status}: ${body.toString()}`);
      confirmed.add(request);
    },
    onUnanswered: (_request, reason) => {
      throw new Error('a purchase was not answered', { cause: reason });
    },
    onProgress: ({ elapsedMs }) => {
      onProgress(elapsedMs / seconds / 1000);
    },
    signal,
  });
  const cpu = difference(await cpuTimes(processes), before);
  await requireExact(service.databaseUrl, shop, confirmed);
  const { answered, elapsedMs, latencies } = report;
  return {
    purchases: answered,
    purchasesPerSecond: answered / (elapsedMs / 1000),
    latencyMs: {
      p50: latencies.quantileMs(0.5),
      p90: latencies.quantileMs(0.9),
      p99: latencies.quantileMs(0.99),
      max: latencies.maxMs,
    },
    cpuUs: {
      server: (cpu.serverMs * 1000) / answered,
      postgres: (cpu.postgresMs * 1000) / answered,
      client: (cpu.clientMs * 1000) / answered,
    },
  };
}

/** One unit of the listing for an account at random, each time under a new key. */
function purchasesUntil(
  endMs: number,
  { shop, listing, name }: RoundOptions,
): () => PurchaseRequest | undefined {
  const bodies = shop.accounts.map((account) => ({ account, body: JSON.stringify({ account, listing }) }));
  let sent = 0;
  return () => {
    const buyer = bodies[Math.floor(Math.random() * bodies.length)];
    if (buyer === undefined || performance.now() >= endMs) return undefined;
    sent += 1;
    return { ...buyer, key: `${name}-${sent}`, listing };
  };
}

/** Every balance, the stock, and the number of operations on record: keys are unique there, so each was used once. */
async function requireExact(databaseUrl: string, shop: Shop, confirmed: ConfirmedPurchases): Promise<void> {
  const { wrongRows, expected, found } = await audit(databaseUrl, shop, confirmed);
  if (wrongRows > 0)
    throw new Error(`${wrongRows} balances are wrong: ${expected} purchases were confirmed, ${found} found`);
  const [row] = await select(
    databaseUrl,
    `select count(*)::text as count from operations where type = 'purchase'`,
  );
  if (Number(row?.['count']) !== expected)
    throw new Error(`${expected} purchases were confirmed, ${String(row?.['count'])} are on record`);
}
