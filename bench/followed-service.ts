import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { send } from '../load/holdfast-service.ts';
import { limitedListing, type ShopService } from '../load/shop.ts';

/** What a consumer shows in `/health`. */
export interface ConsumerFigures {
  readonly name: string;
  readonly lag: number;
  readonly behindSeconds: number;
  readonly parked: number;
}

/** A webhook's endpoint that counts. */
export class WebhookSink {
  readonly #process: ChildProcess;
  readonly url: string;

  static async start(): Promise<WebhookSink> {
    const child = fork(path.join(import.meta.dirname, 'webhook-sink.ts'), [], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const [{ port }] = (await once(child, 'message')) as [{ port: number }];
    return new WebhookSink(child, `http://127.0.0.1:${port}/`);
  }

  private constructor(process: ChildProcess, url: string) {
    this.#process = process;
    this.url = url;
  }

  async deliveries(): Promise<number> {
    const answer = once(this.#process, 'message') as Promise<[{ deliveries: number }]>;
    this.#process.send('how many?');
    const [{ deliveries }] = await answer;
    return deliveries;
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#process.disconnect();
    await ended;
  }
}

/** Has a service reward purchases of the limited listing, and deliver these types of operations. */
export async function putUpFollowers(
  { replicas, headers }: ShopService,
  { sink, types }: { sink: WebhookSink; types: readonly string[] },
): Promise<void> {
  const [first] = replicas;
  const url = first?.url ?? '';
  await send('PUT', `${url}/v1/assets/xp`, headers, { name: 'Experience', kind: 'stat' });
  await send('PUT', `${url}/v1/reward-rules/crown-xp`, headers, {
    on: { type: 'purchase', listing: limitedListing },
    grant: [{ asset: 'xp', quantity: 5 }],
  });
  await send('POST', `${url}/v1/webhooks`, headers, {
    url: sink.url,
    ...(types.length === 0 ? {} : { types }),
  });
}

/** How far each consumer is behind, by the service's own word. */
export async function consumersOf({ replicas }: ShopService): Promise<readonly ConsumerFigures[]> {
  const [first] = replicas;
  const response = await fetch(`${first?.url ?? ''}/health`, { signal: AbortSignal.timeout(5000) });
  const { components } = (await response.json()) as {
    components: { consumers: { each: readonly ConsumerFigures[] } };
  };
  return components.consumers.each;
}
