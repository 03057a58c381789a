import { randomBytes } from 'node:crypto';
import { open, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startReplica, type ReplicaProcess } from '../../src/lifecycle/replica-process.ts';
import { accountNames, ConfirmedPurchases, type Shop } from '../../load/shop.ts';
import { putUpShop } from '../../load/holdfast-service.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { entry, replicaEnv } from './served-replicas.ts';

/** Where the configurations in deploy/ look for the replicas. */
export const replicaPorts = [3001, 3002, 3003] as const;
export type ReplicaPort = (typeof replicaPorts)[number];

/** A shop that has enough of everything, so that any purchase that is not confirmed failed. */
export const shop: Shop = { accounts: accountNames(32), gold: 1_000_000_000, price: 10, stock: 10_000_000 };

/**
 * Three replicas on the ports that load balancers are configured for, on one new database, with the settings of
 * production. Each can be stopped, killed and started again, and tells what it was asked for.
 */
export class BalancedReplicas {
  readonly database: TestDatabase;
  readonly token: string;
  readonly confirmed = new ConfirmedPurchases();
  readonly #env: Readonly<Record<string, string>>;
  readonly #folder: string;
  readonly #running = new Map<ReplicaPort, ReplicaProcess>();

  static async start(env: Readonly<Record<string, string>> = {}): Promise<BalancedReplicas> {
    const database = await createTestDatabase();
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-balanced-'));
    const replicas = new BalancedReplicas({ database, folder, env });
    try {
      for (const port of replicaPorts) await replicas.start(port);
      const urls = replicaPorts.map((port) => `http://127.0.0.1:${port}`);
      await putUpShop(urls, replicas.headers, shop);
      return replicas;
    } catch (error) {
      await replicas.remove();
      throw error;
    }
  }

  private constructor({
    database,
    folder,
    env,
  }: {
    database: TestDatabase;
    folder: string;
    env: Readonly<Record<string, string>>;
  }) {
    this.database = database;
    this.token = `hf_${randomBytes(24).toString('base64url')}`;
    this.#folder = folder;
    this.#env = { NODE_ENV: 'production', ADMIN_API_KEY: this.token, LOG_LEVEL: 'info', ...env };
  }

  get headers(): Readonly<Record<string, string>> {
    return { authorization: `Bearer ${this.token}` };
  }

  /** Its log goes on where that of the one before it ended. */
  async start(port: ReplicaPort): Promise<void> {
    const log = await open(this.#log(port), 'a');
    try {
      const env = replicaEnv(this.database.url, { ...this.#env, PORT: String(port) });
      this.#running.set(port, await startReplica({ entry, env, output: log.fd }));
    } finally {
      await log.close();
    }
  }

  /** The one that listens there. */
  at(port: ReplicaPort): ReplicaProcess {
    const replica = this.#running.get(port);
    if (replica === undefined) throw new Error(`nothing runs on port ${port}`);
    return replica;
  }

  /** The requests that it has answered: the lines of its log. */
  async requests(port: ReplicaPort): Promise<readonly LoggedRequest[]> {
    const lines = (await readFile(this.#log(port), 'utf8')).split('\n');
    return lines
      .filter((line) => line.includes('"msg":"request"'))
      .map((line) => JSON.parse(line) as LoggedRequest);
  }

  /** How many purchases each has answered, in the order of the ports. */
  async purchases(): Promise<number[]> {
    const all = await Promise.all(replicaPorts.map(async (port) => await this.requests(port)));
    return all.map((requests) => requests.filter(({ url }) => url === '/v1/purchases').length);
  }

  async remove(): Promise<void> {
    await Promise.all([...this.#running.values()].map(async (replica) => await replica.stop()));
    await rm(this.#folder, { recursive: true, force: true });
  }

  #log(port: ReplicaPort): string {
    return path.join(this.#folder, `${port}.log`);
  }
}

interface LoggedRequest {
  readonly requestId: string;
  readonly method: string;
  readonly url: string;
  readonly status: number;
}
