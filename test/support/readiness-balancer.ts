import { setTimeout as sleep } from 'node:timers/promises';
import type { Balancer } from './clients.ts';
import { HttpClient } from './http-client.ts';
import type { Random } from './random.ts';

/** How often each replica is asked whether it is ready: well within the time of grace of one that stops. */
const pollMs = 50;
/** How long no replica may be ready before a request is given up. */
const waitMsMax = 60_000;

interface Member {
  readonly client: HttpClient;
  ready: boolean;
  picked: number;
  onPicked: () => void;
}

/**
 * What a load balancer does, in the client: it asks each replica again and again whether it is ready, and sends requests,
 * over connections that are kept, to those that last said so. What is under way at one that no longer is goes on.
 */
export class ReadinessBalancer implements Balancer {
  readonly #members: readonly Member[];
  readonly #random: Random;
  readonly #closed = new AbortController();
  readonly #polling: readonly Promise<void>[];

  constructor(urls: readonly string[], random: Random) {
    this.#random = random;
    this.#members = urls.map((url) => ({
      client: new HttpClient(url),
      ready: false,
      picked: 0,
      onPicked: () => undefined,
    }));
    this.#polling = this.#members.map(async (member) => {
      await this.#poll(member);
    });
  }

  /** Those that last said that they are ready. */
  get ready(): readonly string[] {
    return this.#members.filter(({ ready }) => ready).map(({ client }) => client.origin);
  }

  /** Resolves when this replica has been chosen for so many more requests, at the moment of the last. */
  async chosen(origin: string, requests: number): Promise<void> {
    const member = this.#members.find(({ client }) => client.origin === origin);
    if (member === undefined) throw new Error(`${origin} is none of the replicas`);
    await new Promise<void>((resolve) => {
      const target = member.picked + requests;
      member.onPicked = () => {
        if (member.picked >= target) resolve();
      };
    });
  }

  async pick(not?: HttpClient): Promise<HttpClient> {
    const givesUpAtMs = performance.now() + waitMsMax;
    let ready = this.#members.filter((member) => member.ready);
    while (ready.length === 0) {
      if (performance.now() > givesUpAtMs) throw new Error(`no replica was ready for ${waitMsMax} ms`);
      await sleep(pollMs);
      ready = this.#members.filter((member) => member.ready);
    }
    const others = ready.filter(({ client }) => client !== not);
    const member = this.#random.pick(others.length > 0 ? others : ready);
    member.picked += 1;
    member.onPicked();
    return member.client;
  }

  async close(): Promise<void> {
    this.#closed.abort();
    for (const { client } of this.#members) client.close();
    await Promise.all(this.#polling);
  }

  async #poll(member: Member): Promise<void> {
    const { signal } = this.#closed;
    const probe = new HttpClient(member.client.origin, { connectionsMax: 1 });
    while (!signal.aborted) {
      member.ready = await probe.send({ method: 'GET', path: '/readyz' }).then(
        ({ status }) => status === 200,
        () => false,
      );
      await sleep(pollMs, undefined, { signal }).catch(() => undefined);
    }
    probe.close();
  }
}
