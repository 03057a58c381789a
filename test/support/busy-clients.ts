import { Clients, type Balancer, type RunResult } from './clients.ts';
import { adminApiKey } from './served-replicas.ts';
import { workloadWhile } from './workload.ts';

const count = 12;
/** Some hundred operations a second: a machine on which everything else runs, too, keeps up with what follows from them. */
const restMsMax = 150;

/** What the clients were told, until they were stopped. */
export interface BusyRun extends RunResult {
  /** Why some requests were not answered, in words. */
  readonly unansweredBecause: readonly string[];
}

/** Clients with the mixed workload, at a moderate pace, from when they are made until they are told to end. */
export class BusyClients {
  readonly #run: Promise<RunResult>;
  readonly #unansweredBecause: string[] = [];
  #wanted = true;
  #settled = 0;

  constructor({ balancer, stockFor, seed }: { balancer: Balancer; stockFor: number; seed: number }) {
    this.#run = Clients.run({
      operations: workloadWhile(() => this.#wanted, { seed, operations: stockFor }),
      balancer,
      token: adminApiKey,
      clients: count,
      seed,
      restMsMax,
      onProgress: (done) => {
        this.#settled = done;
      },
      onUnanswered: (error) => this.#unansweredBecause.push(String(error)),
    });
    // Told by `end`, to whoever asks.
    this.#run.catch(() => undefined);
  }

  /** How many operations are settled. */
  get settled(): number {
    return this.#settled;
  }

  /** Resolves when what is under way is settled. */
  async end(): Promise<BusyRun> {
    this.#wanted = false;
    return { ...(await this.#run), unansweredBecause: this.#unansweredBecause };
  }
}
