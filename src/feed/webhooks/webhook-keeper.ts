import type { Webhook, Webhooks } from '../../repository/webhooks.ts';
import { endpointFault } from './endpoint-url.ts';
import { newWebhookSecret } from './signature.ts';

/** Endpoints at most: each operation is written down once for each that wants it. */
export const webhooksMax = 100;

/** How long the secret before a rotation signs beside the new one. */
const overlapMs = 24 * 60 * 60 * 1000;

export type WebhookOutcome =
  | { readonly kind: 'made'; readonly webhook: Webhook; readonly secret: string }
  /** The URL can't be used: what is wrong with it. */
  | { readonly kind: 'refused'; readonly message: string }
  /** There are as many as there may be. */
  | { readonly kind: 'full' };

/** Registers endpoints, and makes the secrets that deliveries to them are signed with. */
export class WebhookKeeper {
  readonly #webhooks: Webhooks;
  readonly #newId: () => string;
  readonly #allowPrivate: boolean;

  constructor(deps: { webhooks: Webhooks; newId: () => string; allowPrivate: boolean }) {
    this.#webhooks = deps.webhooks;
    this.#newId = deps.newId;
    this.#allowPrivate = deps.allowPrivate;
  }

  /** Every operation that begins after this has resolved is delivered. The secret is in the outcome, and not shown again. */
  async create({ url, types }: { url: string; types: readonly string[] | null }): Promise<WebhookOutcome> {
    const message = endpointFault(url, { allowPrivate: this.#allowPrivate });
    if (message !== null) return { kind: 'refused', message };
    const secret = newWebhookSecret();
    const webhook = await this.#webhooks.create({ id: this.#newId(), url, types, secret }, webhooksMax);
    return webhook === null ? { kind: 'full' } : { kind: 'made', webhook, secret };
  }

  async find(id: string): Promise<Webhook | undefined> {
    return await this.#webhooks.find(id);
  }

  /** Newest first, beginning after the endpoint `after`. */
  async list(page: { readonly after: string | null; readonly limit: number }): Promise<readonly Webhook[]> {
    return await this.#webhooks.list(page);
  }

  /** Undefined: there is none. */
  async remove(id: string): Promise<Webhook | undefined> {
    return await this.#webhooks.remove(id);
  }

  /** The new secret signs from now on, and the old one beside it for a day. Undefined: there is no such endpoint. */
  async rotateSecret(id: string): Promise<{ webhook: Webhook; secret: string } | undefined> {
    const secret = newWebhookSecret();
    const webhook = await this.#webhooks.rotateSecret(id, secret, overlapMs);
    return webhook === undefined ? undefined : { webhook, secret };
  }
}
