import { chmod, cp, lstat, mkdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createServerFolder, removeServer } from '../../test/support/abandoned-servers.ts';
import { locateInstalled, prepareBinaries } from './postgres-binaries.ts';
import { chooseServerFolder, type ServerFolder } from './server-folder.ts';
import { runAs } from './server-user.ts';

const folders: string[] = [];
const log = { info: () => undefined, warn: () => undefined };

afterAll(async () => {
  for (const folder of folders) await removeServer(folder, log);
});

test('the installed programs are found, wherever they can be run from', async () => {
  const { folder } = await newFolder();
  const binaries = await prepareBinaries({ installed: await locateInstalled(), folder, log });
  expect(binaries.majorVersion).toBe('18');
});

test('an installation whose script was blocked is completed', async () => {
  const { folder, path } = await newFolder();
  const native = join(path, 'package', 'native');
  const links = await copyWithoutLinks(native);
  await chmod(join(native, 'bin', 'postgres'), 0o644);
  const binaries = await prepareBinaries({ installed: { native, version: '18.0.0' }, folder, log });
  expect(binaries.postgres).toBe(join(native, 'bin', 'postgres'));
  for (const { path: link, text } of links) expect(await readlink(link)).toBe(text);
});

test('programs that the server’s user cannot reach or complete are run from a copy', async () => {
  const { folder, path } = await newFolder();
  const home = join(path, 'package');
  const native = join(home, 'native');
  await copyWithoutLinks(native);
  // Root's server user cannot pass the first; an ordinary user cannot write in the second.
  await chmod(home, 0o700);
  await chmod(join(native, 'lib'), 0o555);
  const catalog = join('share', 'postgresql', 'postgres.bki');
  await chmod(join(native, catalog), 0o600);

  const installed = { native, version: '18.0.0' };
  const binaries = await Promise.all([1, 2].map(() => prepareBinaries({ installed, folder, log })));
  const expected = join(folder.path, 'binaries-18.0.0', 'native', 'bin', 'initdb');
  expect(binaries.map(({ initdb }) => initdb)).toEqual([expected, expected]);
  const version = await runAs(folder.user, {
    file: expected,
    args: ['--version'],
    folder: '/',
    msMax: 10_000,
  });
  expect(version).toMatch(/^initdb \(PostgreSQL\) 18\./);
  expect((await stat(join(folder.path, 'binaries-18.0.0', 'native', catalog))).mode & 0o777).toBe(0o644);
  await chmod(join(native, 'lib'), 0o755);
});

async function newFolder(): Promise<{ folder: ServerFolder; path: string }> {
  const path = await createServerFolder();
  folders.push(path);
  return { folder: await chooseServerFolder({ dataFolder: path, log }), path };
}

/** The package as npm leaves it when it does not run install scripts. */
async function copyWithoutLinks(native: string): Promise<{ path: string; text: string }[]> {
  const installed = await locateInstalled();
  await mkdir(dirname(native), { recursive: true, mode: 0o755 });
  await cp(installed.native, native, { recursive: true, verbatimSymlinks: true });
  const listed = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')) as { target: string }[];
  const paths = listed.map(({ target }) => join(native, '..', target));
  const links = await Promise.all(paths.map(async (path) => ({ path, text: await readlink(path) })));
  for (const { path } of links) {
    expect((await lstat(path)).isSymbolicLink()).toBe(true);
    await rm(path);
  }
  return links;
}
