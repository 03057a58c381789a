import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { until } from './until.ts';

const run = promisify(execFile);
const repository = path.resolve(import.meta.dirname, '../..');

/** Debian's script that a package brings to start its service, where there is no systemd. */
const scriptOf = (service: string): string => `/etc/init.d/${service}`;

/**
 * The machine as one service of Debian's sees it, with what it writes to being its own: `/etc/<service>`, `/run`,
 * `/var/log`. So an operator's commands run as they stand in a guide, and leave nothing behind. It has processes of its
 * own as well, and all of them end with it, or with us. The network is the machine's.
 */
export class PrivateSystem {
  readonly #holder: ChildProcess;
  readonly #copies: string;
  #pid = 0;

  /** Fails with what to do about it where the package is missing, or where we are not root. */
  static async with(service: string): Promise<PrivateSystem> {
    if (!existsSync(scriptOf(service)))
      throw new Error(`${service} is not installed: run scripts/install-system-packages.sh`);
    if (process.getuid?.() !== 0)
      throw new Error(`run this as root: only root can give ${service} an /etc of its own`);
    const copies = await mkdtemp(path.join(tmpdir(), 'holdfast-system-'));
    await run('chmod', ['711', copies]);
    await run('cp', ['-a', `/etc/${service}`, copies]);
    // Of the logs only the folders and empty files, with their owners.
    await run('cp', ['-a', '--attributes-only', '/var/log', copies]);
    const mounts = [
      `mount --bind ${copies}/${service} /etc/${service}`,
      `mount --bind ${copies}/log /var/log`,
      'mount -t tmpfs tmpfs /run',
      'mkdir -m 1777 /run/lock',
    ];
    const system = new PrivateSystem(mounts.join(' && '), copies);
    try {
      await system.#ready();
      return system;
    } catch (error) {
      await system.remove();
      throw error;
    }
  }

  private constructor(prepare: string, copies: string) {
    this.#copies = copies;
    // The first of the processes reads from us until we are gone; the kernel ends the others with it.
    const script = `${prepare} && echo ready && exec cat`;
    this.#holder = spawn(
      'unshare',
      ['--mount', '--propagation', 'private', '--pid', '--fork', '--mount-proc', 'sh', '-c', script],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
  }

  /** Runs a script in it, in the folder of the repository, as the blocks of the guides are to be run; answers what it said. */
  async run(script: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
    const target = ['--target', String(this.#pid), '--mount', '--pid'];
    try {
      const { stdout, stderr } = await run(
        'nsenter',
        [...target, `--wd=${repository}`, 'bash', '-euo', 'pipefail', '-c', script],
        {
          env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`, HOME: '/root', ...env },
          timeout: 60_000,
        },
      );
      return stdout + stderr;
    } catch (error) {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
      throw new Error(`it failed: ${script}\n${stdout}${stderr}`, { cause: error });
    }
  }

  async remove(): Promise<void> {
    const ended = new Promise((resolve) => this.#holder.once('close', resolve));
    if (this.#holder.exitCode === null && this.#holder.signalCode === null) {
      this.#holder.stdin?.end();
      await ended;
    }
    await rm(this.#copies, { recursive: true, force: true });
  }

  async #ready(): Promise<void> {
    let said = '';
    this.#holder.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await until('the private system is there', () => {
      if (this.#holder.exitCode !== null) throw new Error('the private system could not be made');
      return said.includes('ready');
    });
    const parent = String(this.#holder.pid);
    this.#pid = Number(await readFile(`/proc/${parent}/task/${parent}/children`, 'utf8'));
  }
}
