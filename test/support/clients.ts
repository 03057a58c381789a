import { setTimeout as pause } from 'node:timers/promises';
import { HttpClient, type HttpAnswer } from './http-client.ts';
import { Random } from './random.ts';
import type { Receipt } from './resources.ts';
import type { PlannedOperation } from './workload.ts';

/** How an operation ended for the client that sent it. */
export type Outcome =
  | { readonly kind: 'accepted'; readonly text: string; readonly receipt: Receipt; readonly replays: number }
  | { readonly kind: 'rejected'; readonly status: number; readonly code: string };

/** What all the clients of a run were told. */
export interface RunResult {
  readonly outcomes: ReadonlyMap<PlannedOperation, Outcome>;
  /** Codes of the 5xx answers that were tried again, with how often they came. */
  readonly failures: Readonly<Record<string, number>>;
  /** How often no answer came. */
  readonly unanswered: number;
}

/** Says which replica is asked next. */
export interface Balancer {
  /** Another one than `not`, where there is another. */
  pick(not?: HttpClient): Promise<HttpClient>;
}

/** Any replica at random, or the one that a balancer says. */
type Targets = { readonly urls: readonly string[] } | { readonly balancer: Balancer };

export type RunOptions = Targets & {
  readonly operations: Iterable<PlannedOperation>;
  readonly token: string;
  readonly clients: number;
  readonly seed: number;
  /** Told after each operation how many are done: the moment to do harm. */
  readonly onProgress?: (done: number) => void;
  /** Told of each 5xx answer. */
  readonly onFailure?: (code: string) => void;
  /** Told why no answer came. */
  readonly onUnanswered?: (error: unknown) => void;
  /** A client rests for up to so long after each operation: the pace of the load. Default: it does not. */
  readonly restMsMax?: number;
};

/** Long enough for everything to be started again meanwhile. */
const triesMax = 4000;
const pauseMs = 25;

/**
 * Many clients, each sending one operation after another to a replica at random. What is not answered, or answered
 * with 503, is sent again with the same key, to any replica, until it is settled.
 */
export class Clients {
  readonly #options: RunOptions;
  readonly #balancer: Balancer;
  readonly #random: Random;
  readonly #failures: Record<string, number> = {};
  #unanswered = 0;

  private constructor(options: RunOptions, balancer: Balancer, random: Random) {
    this.#options = options;
    this.#balancer = balancer;
    this.#random = random;
  }

  static async run(options: RunOptions): Promise<RunResult> {
    const random = new Random(options.seed ^ 0x5eed);
    if ('balancer' in options) return await new Clients(options, options.balancer, random).#run();
    const replicas = options.urls.map((url) => new HttpClient(url));
    try {
      return await new Clients(options, anyOf(replicas, random), random).#run();
    } finally {
      for (const replica of replicas) replica.close();
    }
  }

  async #run(): Promise<RunResult> {
    const { operations, clients, onProgress = () => undefined, restMsMax = 0 } = this.#options;
    const outcomes = new Map<PlannedOperation, Outcome>();
    const queue = handedOut(operations);
    await Promise.all(
      Array.from({ length: clients }, async () => {
        for (const operation of queue) {
          outcomes.set(operation, await this.#perform(operation));
          onProgress(outcomes.size);
          if (restMsMax > 0) await pause(restMsMax * this.#random.next());
        }
      }),
    );
    return { outcomes, failures: this.#failures, unanswered: this.#unanswered };
  }

  async #perform(operation: PlannedOperation): Promise<Outcome> {
    const first = await this.#balancer.pick();
    if (!operation.doubled) return await this.#settle(operation, first);
    const other = await this.#balancer.pick(first);
    const both = [first, other].map(async (replica) => await this.#settle(operation, replica));
    return agreed(operation, await Promise.all(both));
  }

  /** Sends it until there is an answer that is no failure. */
  async #settle(operation: PlannedOperation, first: HttpClient): Promise<Outcome> {
    const { key, path, body } = operation;
    const { token } = this.#options;
    let replica = first;
    for (let tries = 1; tries <= triesMax; tries += 1) {
      const answer = await replica
        .send({
          method: 'POST',
          path,
          headers: {
            authorization: `Bearer ${token}`,
            'content-type': 'application/json',
            'idempotency-key': key,
          },
          body: JSON.stringify(body),
        })
        .catch((error: unknown) => {
          this.#options.onUnanswered?.(error);
          return null;
        });
      if (answer === null) this.#unanswered += 1;
      else {
        const outcome = outcomeOf(answer);
        if (outcome.kind === 'accepted' || outcome.status < 500) return outcome;
        this.#failures[outcome.code] = (this.#failures[outcome.code] ?? 0) + 1;
        this.#options.onFailure?.(outcome.code);
      }
      // As any client should: a failure that passes has not passed at once.
      await pause(pauseMs * this.#random.next());
      replica = await this.#balancer.pick();
    }
    throw new Error(`${key} (${path}) was not settled in ${triesMax} tries`);
  }
}

/** One after another, to whichever client asks. */
function* handedOut(operations: Iterable<PlannedOperation>): Generator<PlannedOperation, void, void> {
  yield* operations;
}

function anyOf(replicas: readonly HttpClient[], random: Random): Balancer {
  return {
    pick: (not) => {
      const others = replicas.filter((replica) => replica !== not);
      return Promise.resolve(random.pick(others.length > 0 ? others : replicas));
    },
  };
}

function outcomeOf({ status, headers, bytes }: HttpAnswer): Outcome {
  const text = bytes.toString('utf8');
  const body = JSON.parse(text) as Receipt & { code: string };
  if (status === 201) {
    const replays = headers['idempotency-replayed'] === 'true' ? 1 : 0;
    return { kind: 'accepted', text, receipt: body, replays };
  }
  return { kind: 'rejected', status, code: body.code };
}

/** Two answers to one operation: accepted is accepted once, and both are told the same. */
function agreed({ key }: PlannedOperation, [one, other]: readonly Outcome[]): Outcome {
  if (one === undefined || other === undefined) throw new Error('it was sent twice');
  if (one.kind === 'rejected') return other;
  if (other.kind === 'rejected') return one;
  if (one.text !== other.text) throw new Error(`${key} has two receipts:\n${one.text}\n${other.text}`);
  return { ...one, replays: one.replays + other.replays };
}
