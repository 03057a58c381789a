import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { natsServerBinary } from './nats-server-binary.ts';

const readyMsMax = 20_000;

/**
 * A real broker with JetStream, on a port and a folder of its own. It can be stopped, killed and started again where it was.
 * It is there until `remove`.
 */
export class NatsServer {
  readonly #binary: string;
  readonly #folder: string;
  readonly #config: string;
  #process: ChildProcess | undefined;
  /** Any that is free, at first. */
  #port = -1;

  /** `config` is added to its configuration file. */
  static async start(config = ''): Promise<NatsServer> {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-nats-'));
    const server = new NatsServer(await natsServerBinary(), folder, config);
    try {
      await server.start();
    } catch (error) {
      await server.remove();
      throw error;
    }
    return server;
  }

  private constructor(binary: string, folder: string, config: string) {
    this.#binary = binary;
    this.#folder = folder;
    this.#config = config;
  }

  get url(): string {
    return `nats://${this.address}`;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Its process, while there is one. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Resolves when it takes connections, with what it had kept. */
  async start(): Promise<void> {
    const file = path.join(this.#folder, 'nats.conf');
    const jetstream = `jetstream { store_dir: "${this.#folder}" }`;
    await writeFile(file, `listen: "${this.address}"\n${jetstream}\n${this.#config}\n`);
    const child = spawn(this.#binary, ['--config', file], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#process = child;
    this.#port = await ready(child);
  }

  /** Lets it finish; `start` brings it back. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** It keeps its connections and answers nothing, until it is told to go on. Resolves when it stands still. */
  async freeze(): Promise<void> {
    this.#process?.kill('SIGSTOP');
    // A thread that runs at this moment stops a moment later.
    while (this.pid !== undefined && (await runsOn(this.pid))) await new Promise(setImmediate);
  }

  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  async remove(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    this.#process = undefined;
    const ended = once(child, 'exit');
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await ended;
    }
  }
}

/** Resolves with its port when it says that it is ready; rejects with all that it said when it is not soon. */
async function ready(child: ChildProcess): Promise<number> {
  if (child.stderr === null) throw new Error('its log is a pipe');
  const timer = setTimeout(() => child.kill('SIGKILL'), readyMsMax);
  const said: string[] = [];
  let port: number | undefined;
  try {
    // Read on to the end: a broker whose pipe is full would stand still.
    const lines = createInterface({ input: child.stderr });
    return await new Promise((resolve, reject) => {
      lines.on('line', (line) => {
        if (port === undefined) said.push(line);
        const [, found] = /Listening for client connections on .*:(\d+)$/.exec(line) ?? [];
        if (found !== undefined) port = Number(found);
        if (line.endsWith('Server is ready') && port !== undefined) resolve(port);
      });
      lines.on('close', () => {
        reject(new Error(`nats-server ended before it was ready:\n${said.join('\n')}`));
      });
      child.on('error', reject);
    });
  } finally {
    clearTimeout(timer);
  }
}

/** Whether a thread of this process is not stopped. Needs `/proc`: elsewhere it is taken for stopped. */
async function runsOn(pid: number): Promise<boolean> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const states = await Promise.all(
    threads.map(async (thread) => {
      const stat = await readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8');
      // After the name in brackets, which may hold anything.
      return stat.slice(stat.lastIndexOf(')') + 2)[0];
    }),
  );
  return states.some((state) => state !== 'T');
}
