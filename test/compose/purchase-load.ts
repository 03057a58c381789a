import { expect } from 'vitest';
import { runLoad, type LoadReport } from '../../load/generator.ts';
import {
  accountNames,
  audit,
  ConfirmedPurchases,
  currency,
  limitedListing,
  unlimitedListing,
  type PurchaseRequest,
  type Shop,
} from '../../load/shop.ts';
import type { Api } from '../support/api.ts';
import { ok, receipt } from '../support/resources.ts';

const shop: Shop = { accounts: accountNames(16), gold: 1_000_000_000, price: 1, stock: 1_000_000_000 };
const connections = 64;

/** Purchases over 64 connections through one address, and the books that they must come to. */
export class PurchaseLoad {
  readonly #api: Api;
  readonly #confirmed = new ConfirmedPurchases();
  #sent = 0;
  #awaited: { readonly count: number; readonly resolve: () => void } | undefined;

  private constructor(api: Api) {
    this.#api = api;
  }

  /** Puts up the shop, and gives every buyer more than it can spend. */
  static async open(api: Api): Promise<PurchaseLoad> {
    ok(await api.put(`/v1/assets/${currency}`, { name: 'Gold', kind: 'currency' }));
    for (const asset of [limitedListing, unlimitedListing]) {
      ok(await api.put(`/v1/assets/${asset}`, { name: asset, kind: 'item' }), 201);
      const listing = {
        price: [{ asset: currency, quantity: shop.price }],
        goods: [{ asset, quantity: 1 }],
        stock: asset === limitedListing ? shop.stock : null,
      };
      ok(await api.put(`/v1/listings/${asset}`, listing), 201);
    }
    for (const account of shop.accounts) receipt(await api.grant(account, { [currency]: shop.gold }));
    return new PurchaseLoad(api);
  }

  /** Resolves when so many more purchases have been confirmed; for one at a time to wait for. */
  async confirmedMore(purchases: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#awaited = {
      count: this.#confirmed.count + purchases,
      resolve: () => {
        resolve(undefined);
      },
    };
    await promise;
  }

  /** What was answered instead of a receipt, in all. */
  readonly failures: string[] = [];

  /** Buys until `work` has ended, one way or the other. With one attempt, nothing that fails is sent again. */
  async during(work: () => Promise<void>, { attemptsMax }: { attemptsMax: number }): Promise<LoadReport> {
    let over = false;
    const load = runLoad<PurchaseRequest>({
      targets: [this.#api.url],
      connections,
      path: '/v1/purchases',
      headers: { authorization: `Bearer ${this.#api.token}` },
      attemptsMax,
      next: () => (over ? undefined : this.#next()),
      onAnswer: ({ request, status, body }) => {
        if (status !== 201) {
          this.failures.push(body.toString());
          return;
        }
        this.#confirmed.add(request);
        if (this.#confirmed.count === this.#awaited?.count) this.#awaited.resolve();
      },
    });
    try {
      await work();
    } finally {
      over = true;
      await load;
    }
    return await load;
  }

  /** Fails unless every balance and stock is, to the unit, what was confirmed. */
  async expectExactBooks(databaseUrl: string): Promise<void> {
    const expected = this.#confirmed.count;
    expect(await audit(databaseUrl, shop, this.#confirmed)).toEqual({
      expected,
      found: expected,
      lost: 0,
      oversold: 0,
      wrongRows: 0,
    });
  }

  #next(): PurchaseRequest {
    const number = (this.#sent += 1);
    const account = shop.accounts[number % shop.accounts.length] ?? '';
    const listing = number % 3 === 0 ? limitedListing : unlimitedListing;
    return { key: `load-${number}`, account, listing, body: JSON.stringify({ account, listing }) };
  }
}
