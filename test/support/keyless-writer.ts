import { HttpClient } from './http-client.ts';

/** Grants one gold to its account, again and again, without keys: what was not answered is not asked for again. */
export class KeylessWriter {
  readonly account: string;
  /** Grants that were answered by a receipt. */
  confirmed = 0;
  /** Those of which nobody can tell. */
  unknown = 0;
  readonly #client: HttpClient;
  readonly #token: string;

  constructor(url: string, token: string, account: string) {
    this.#client = new HttpClient(url, { connectionsMax: 1 });
    this.#token = token;
    this.account = account;
  }

  async writeUntil(over: AbortSignal): Promise<void> {
    while (!over.aborted) await this.#write();
    this.#client.close();
  }

  /** Fails on an answer that is neither a receipt nor `outcome_unknown`. */
  async #write(): Promise<void> {
    const answer = await this.#client
      .send({
        method: 'POST',
        path: '/v1/grants',
        headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ account: this.account, assets: [{ asset: 'gold', quantity: 1 }] }),
      })
      .catch(() => null);
    if (answer?.status === 201) {
      this.confirmed += 1;
      return;
    }
    const text = answer?.bytes.toString() ?? 'outcome_unknown';
    if (!text.includes('outcome_unknown')) throw new Error(text);
    this.unknown += 1;
  }
}
