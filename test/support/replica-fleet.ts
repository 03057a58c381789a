import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startReplica, type ReplicaEnd, type ReplicaProcess } from '../../src/lifecycle/replica-process.ts';
import { lastingPorts } from './lasting-ports.ts';
import { entry, replicaEnv } from './served-replicas.ts';

/** A line of a replica's log. */
export interface LogLine {
  readonly level: number;
  readonly msg: string;
}

const errorLevel = 50;

/** Replicas on one database that are stopped, killed and started again, each at its own address, and what they log. */
export class ReplicaFleet {
  readonly urls: readonly string[];
  readonly #ports: readonly number[];
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #folder: string;
  readonly #running = new Map<number, ReplicaProcess>();

  static async start(
    count: number,
    { databaseUrl, env }: { databaseUrl: string; env: Readonly<Record<string, string>> },
  ): Promise<ReplicaFleet> {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-fleet-'));
    const ports = await lastingPorts(count);
    const fleet = new ReplicaFleet({
      ports,
      folder,
      env: replicaEnv(databaseUrl, { LOG_LEVEL: 'warn', ...env }),
    });
    try {
      await Promise.all(ports.map(async (_, index) => await fleet.start(index)));
      return fleet;
    } catch (error) {
      const log = await fleet.log();
      await fleet.remove();
      throw new Error(`the replicas did not all start:\n${log}`, { cause: error });
    }
  }

  private constructor(fleet: {
    ports: readonly number[];
    folder: string;
    env: Readonly<Record<string, string | undefined>>;
  }) {
    this.#ports = fleet.ports;
    this.#folder = fleet.folder;
    this.#env = fleet.env;
    this.urls = fleet.ports.map((port) => `http://127.0.0.1:${port}`);
  }

  /** Starts the one at this place; its log goes on where that of the one before it ended. */
  async start(index: number): Promise<void> {
    const log = await open(this.#log, 'a');
    try {
      const env = { ...this.#env, PORT: String(this.#ports[index]) };
      this.#running.set(index, await startReplica({ entry, env, output: log.fd }));
    } finally {
      await log.close();
    }
  }

  /** Resolves when it has ended; one that does not end is killed, and ends by that signal. */
  async end(index: number, signal: 'SIGTERM' | 'SIGKILL'): Promise<ReplicaEnd> {
    const replica = this.#running.get(index);
    if (replica === undefined) throw new Error(`replica ${index} does not run`);
    this.#running.delete(index);
    if (signal === 'SIGTERM') return await replica.stop();
    replica.kill(signal);
    return await replica.ended;
  }

  /** The processes that run, by their place. */
  get processes(): ReadonlyMap<number, ReplicaProcess> {
    return this.#running;
  }

  /** Everything that the replicas have logged as an error, or worse, so far. */
  async errors(): Promise<readonly LogLine[]> {
    const lines = (await this.log()).split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as LogLine).filter(({ level }) => level >= errorLevel);
  }

  async log(): Promise<string> {
    return await readFile(this.#log, 'utf8');
  }

  async remove(): Promise<void> {
    await Promise.all([...this.#running.keys()].map(async (index) => await this.end(index, 'SIGTERM')));
    await rm(this.#folder, { recursive: true, force: true });
  }

  get #log(): string {
    return path.join(this.#folder, 'log');
  }
}
