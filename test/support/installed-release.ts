import { chmod, copyFile, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

const script = path.resolve(import.meta.dirname, '../../start_production.sh');

/** A folder with start_production.sh, a Node, and a build whose code the test chooses. */
export class InstalledRelease {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** `code` is the build's main.js, an ES module. */
  static async create(code: string): Promise<InstalledRelease> {
    const release = new InstalledRelease(
      await realpath(await mkdtemp(path.join(tmpdir(), 'holdfast-start-'))),
    );
    await copyFile(script, release.script);
    await release.write('dist/src/main.js', code);
    await release.write('package.json', '{"type": "module"}');
    await mkdir(release.path('node_modules/.bin'), { recursive: true });
    await symlink(process.execPath, release.path('node_modules/.bin/node'));
    return release;
  }

  get script(): string {
    return this.path('start_production.sh');
  }

  path(name: string): string {
    return path.join(this.folder, name);
  }

  async write(name: string, content: string, mode = 0o644): Promise<void> {
    await mkdir(path.dirname(this.path(name)), { recursive: true });
    await writeFile(this.path(name), content);
    await chmod(this.path(name), mode);
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true });
  }
}
