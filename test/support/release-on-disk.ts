import { mkdtemp, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { entry } from './served-replicas.ts';

/** What the file of a release does. */
const kinds = {
  /** What we are. */
  sound: '',
  /** Can't serve. */
  broken: `if (process.argv[2] === 'serve') throw new Error('this release is broken');`,
  /** Ends as soon as it serves. */
  shortLived: `if (process.argv[2] === 'serve') process.send = () => setImmediate(() => process.exit(3));`,
  /** Never comes to serve. */
  stuck: `if (process.argv[2] === 'serve') { setInterval(() => {}, 1000); await new Promise(() => {}); }`,
  /** Has a migration that fails. */
  unmigratable: `if (process.argv[2] === 'migrate') { console.error('no such luck'); process.exit(1); }`,
} as const;

/** A file that is run as the command line, and can be replaced while it runs, as an operator replaces a release. */
export class ReleaseOnDisk {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async create(): Promise<ReleaseOnDisk> {
    const release = new ReleaseOnDisk(
      await realpath(await mkdtemp(path.join(tmpdir(), 'holdfast-release-'))),
    );
    await release.put('one', 'sound');
    return release;
  }

  get file(): string {
    return path.join(this.#folder, 'main.mjs');
  }

  /** Each process that runs it says its name. */
  async put(name: string, kind: keyof typeof kinds): Promise<void> {
    const unfinished = `${this.file}.new`;
    const code = `console.log('this is release ${name}');\n${kinds[kind]}\nawait import(${JSON.stringify(entry)});\n`;
    await writeFile(unfinished, code);
    await rename(unfinished, this.file);
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true });
  }
}
