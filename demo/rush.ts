import { runLoad, type LoadReport } from '../load/generator.ts';
import {
  limitedListing,
  unlimitedListing,
  type ConfirmedPurchases,
  type ListingName,
  type PurchaseRequest,
  type Shop,
  type ShopService,
} from '../load/shop.ts';

/** Buyers, each with one purchase under way at a time. Several share an account, as a player's devices do. */
export const buyers = 64;

/** With a pause of 50 ms: what a buyer puts up with from a service that is in trouble, 10 s. */
const attemptsMax = 200;
const pauseMs = 50;

export interface RushOptions {
  readonly service: ShopService;
  readonly shop: Shop;
  /** What is confirmed is added to it. */
  readonly confirmed: ConfirmedPurchases;
  readonly durationMs: number;
  /** Begins every key. */
  readonly name: string;
  readonly onProgress: (fraction: number, purchases: number) => void;
  readonly signal: AbortSignal;
}

export interface RushResult {
  readonly purchases: number;
  readonly purchasesPerSecond: number;
  /** Purchases that were confirmed to a second or later attempt under the same key. */
  readonly retried: number;
  readonly report: LoadReport;
}

/**
 * The workload of the demonstration: everyone wants the limited listing until it is sold out, and then the unlimited
 * one, spread over all replicas. Throws on any answer other than "bought" or "sold out".
 */
export async function rush(options: RushOptions): Promise<RushResult> {
  const { service, shop, confirmed, durationMs, name, onProgress, signal } = options;
  const endMs = performance.now() + durationMs;
  let listing: ListingName = limitedListing;
  let sent = 0;
  let purchases = 0;
  let retried = 0;
  const report = await runLoad<PurchaseRequest>({
    targets: service.replicas.map(({ url }) => url),
    connections: buyers,
    path: '/v1/purchases',
    headers: service.headers,
    next: (buyer) => {
      const account = shop.accounts[Math.floor(buyer / service.replicas.length) % shop.accounts.length];
      if (account === undefined || performance.now() >= endMs) return undefined;
      sent += 1;
      return { key: `${name}-${sent}`, body: JSON.stringify({ account, listing }), account, listing };
    },
    onAnswer: ({ request, status, body, attempts }) => {
      if (status === 201) {
        confirmed.add(request);
        purchases += 1;
        if (attempts > 1) retried += 1;
      } else if (status === 409 && body.includes('"out_of_stock"')) {
        listing = unlimitedListing;
      } else {
        throw new Error(`a purchase was answered ${status}: ${body.toString()}`);
      }
    },
    onUnanswered: (_request, reason) => {
      throw new Error('a purchase was not answered', { cause: reason });
    },
    attemptsMax,
    pauseMs,
    onProgress: ({ elapsedMs }) => {
      onProgress(elapsedMs / durationMs, purchases);
    },
    signal,
  });
  return { purchases, purchasesPerSecond: purchases / (report.elapsedMs / 1000), retried, report };
}
