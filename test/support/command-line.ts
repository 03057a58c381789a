import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { entry } from './served-replicas.ts';

/** The command line as a process of its own, with what it says. */
export class CommandLine {
  readonly process: ChildProcess;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  #output = '';
  #heard: () => void = () => undefined;

  constructor(
    args: readonly string[],
    {
      env,
      cwd,
      program = [process.execPath, entry],
    }: {
      env: Readonly<Record<string, string | undefined>>;
      cwd?: string;
      /** What is run with `args`. Default: the command line of this checkout. */
      program?: readonly [string, ...string[]];
    },
  ) {
    const [file, ...before] = program;
    this.process = spawn(file, [...before, ...args], {
      env: { PATH: process.env['PATH'], ...env },
      ...(cwd === undefined ? {} : { cwd }),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.setEncoding('utf8');
      stream?.on('data', (text: string) => {
        this.#output += text;
        this.#heard();
      });
    }
    this.ended = new Promise((resolve, reject) => {
      this.process.once('error', reject);
      this.process.once('close', (code, signal) => {
        resolve({ code, signal });
      });
    });
  }

  get output(): string {
    return this.#output;
  }

  /** Resolves when it has said something; fails when it ends before, or takes too long. */
  async says(text: string, timeoutMs = 60_000): Promise<void> {
    const said = Promise.withResolvers<string | null>();
    this.#heard = () => {
      if (this.#output.includes(text)) said.resolve(null);
    };
    this.#heard();
    const timer = setTimeout(() => {
      said.resolve(`it did not within ${timeoutMs} ms`);
    }, timeoutMs);
    const ended = this.ended.then(({ code, signal }) => `it ended with ${signal ?? String(code)}`);
    const trouble = await Promise.race([said.promise, ended]);
    clearTimeout(timer);
    if (trouble !== null && !this.#output.includes(text))
      throw new Error(`the process should say ${JSON.stringify(text)}, but ${trouble}:\n${this.#output}`);
  }
}

/** Runs a command to its end, on this database. */
export async function holdfast(
  args: readonly string[],
  databaseUrl: string,
): Promise<{ code: number | null; output: string; errors: string }> {
  const child = spawn(process.execPath, [entry, ...args], {
    env: { PATH: process.env['PATH'], DATABASE_URL: databaseUrl },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exit = once(child, 'exit') as Promise<[number | null]>;
  const [[code], output, errors] = await Promise.all([exit, text(child.stdout), text(child.stderr)]);
  return { code, output, errors };
}
