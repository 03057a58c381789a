import { cp, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DocumentBlock } from '../support/document-blocks.ts';
import { requireEngine, run } from './engine.ts';

const repository = path.resolve(import.meta.dirname, '../..');

/** A fresh clone of the repository, as far as its files go, and what the guide's blocks make of it. */
export class ComposeProject {
  readonly folder: string;
  readonly #env: NodeJS.ProcessEnv;

  private constructor(folder: string, env: NodeJS.ProcessEnv) {
    this.folder = folder;
    this.#env = env;
  }

  static async create(): Promise<ComposeProject> {
    await requireEngine();
    const root = await mkdtemp(path.join(tmpdir(), 'holdfast-compose-'));
    const folder = path.join(root, 'holdfast');
    const listed = await run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: repository,
    });
    for (const file of new Set(listed.split('\0').filter((name) => name !== ''))) {
      // One that was deleted may still be listed.
      const source = path.join(repository, file);
      if ((await stat(source).catch(() => null)) !== null) await cp(source, path.join(folder, file));
    }
    return new ComposeProject(folder, await environment(root));
  }

  /** Runs a block of a guide, or commands of the test's own, as `bash -euo pipefail`; answers what it said. */
  async run(block: DocumentBlock | string, env: Readonly<Record<string, string>> = {}): Promise<string> {
    const code = typeof block === 'string' ? block : block.code;
    const options = { cwd: this.folder, env: { ...this.#env, ...env } };
    return (await run('bash', ['-euo', 'pipefail', '-c', code], options)).trim();
  }

  /** The id of a service's container. */
  async container(service: string): Promise<string> {
    return await this.run(`docker compose ps -q ${service}`);
  }

  async remove(): Promise<void> {
    // Without .env the file can't be read, and nothing was started.
    if ((await stat(path.join(this.folder, '.env')).catch(() => null)) !== null)
      await this.run('docker compose down --volumes --remove-orphans --timeout 20');
    await rm(path.dirname(this.folder), { recursive: true, force: true });
  }
}

/** Where compose is not part of docker, but a command of its own, the guide's `docker compose` becomes that. */
async function environment(root: string): Promise<NodeJS.ProcessEnv> {
  const isPart = await run('docker', ['compose', 'version']).then(
    () => true,
    () => false,
  );
  if (isPart) return process.env;
  const docker = (await run('bash', ['-c', 'command -v docker'])).trim();
  const bin = path.join(root, 'bin');
  await mkdir(bin);
  await writeFile(
    path.join(bin, 'docker'),
    `#!/bin/sh\nif [ "$1" = compose ]; then shift; exec docker-compose "$@"; fi\nexec ${docker} "$@"\n`,
    { mode: 0o755 },
  );
  return { ...process.env, PATH: `${bin}:${process.env['PATH'] ?? ''}` };
}
