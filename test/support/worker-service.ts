import { afterEach } from 'vitest';
import { Api } from './api.ts';
import { CommandLine } from './command-line.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { openMarket } from './market.ts';
import { ReleaseOnDisk } from './release-on-disk.ts';
import { adminApiKey, replicaEnv } from './served-replicas.ts';
import { until } from './until.ts';

/** A line of a log, as JSON. */
export type LogLine = Readonly<Record<string, unknown>>;

const running = new Set<WorkerService>();

afterEach(async () => {
  for (const service of running) await service.remove();
});

/** `holdfast serve` with several replicas behind one port, from a release that can be replaced. */
export class WorkerService {
  readonly release: ReleaseOnDisk;
  readonly database: TestDatabase;
  readonly command: CommandLine;
  readonly url: string;
  readonly api: Api;

  private constructor(parts: Pick<WorkerService, 'release' | 'database' | 'command' | 'url' | 'api'>) {
    ({
      release: this.release,
      database: this.database,
      command: this.command,
      url: this.url,
      api: this.api,
    } = parts);
  }

  /** Starts it on a new database, with something to buy; whatever is left of it ends with the test. */
  static async start(env: Readonly<Record<string, string>> = {}): Promise<WorkerService> {
    const database = await createTestDatabase();
    const release = await ReleaseOnDisk.create();
    const command = new CommandLine(['serve'], {
      env: replicaEnv(database.url, { WORKERS: '3', LOG_LEVEL: 'info', ...env }),
      program: [process.execPath, release.file],
    });
    await command.says('"replicas":');
    const url = /"url":"(http[^"]+)"/.exec(command.output)?.[1] ?? '';
    const api = await Api.of(url, adminApiKey);
    await openMarket(api);
    const service = new WorkerService({ release, database, command, url, api });
    running.add(service);
    return service;
  }

  /** What has been logged, by whomever. */
  get log(): readonly LogLine[] {
    return this.command.output
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as LogLine);
  }

  /** The lines with this message. */
  logged(message: string): readonly LogLine[] {
    return this.log.filter(({ msg }) => msg === message);
  }

  /** The processes that are said to serve, in the order in which they were said to; some may have ended since. */
  get replicas(): readonly number[] {
    return this.logged('a replica serves').map(({ replica }) => Number(replica));
  }

  /** Those of them that live. */
  get living(): readonly number[] {
    return this.replicas.filter(isAlive);
  }

  /** Sends SIGHUP and waits until it has been logged how that went. */
  async reload(outcome: string): Promise<void> {
    const before = this.logged(outcome).length;
    this.command.process.kill('SIGHUP');
    await until(`it says again: ${outcome}`, () => this.logged(outcome).length > before, 60_000);
  }

  async remove(): Promise<void> {
    running.delete(this);
    this.api.close();
    this.command.process.kill('SIGKILL');
    await this.command.ended;
    await until('its replicas end with it', () => this.living.length === 0);
    await this.release.remove();
  }
}

export function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch {
    return false;
  }
}
