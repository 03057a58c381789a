import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Kept beside the packages of npm: `npm ci` takes it away, as it does with them. */
const cache = path.resolve(import.meta.dirname, '../node_modules/.cache/nats-server');
const unpacked = path.join(cache, 'usr/sbin/nats-server');

/**
 * The broker's program: the one that is installed, or else Debian's package, unpacked into a folder of our own. That takes no
 * rights, starts no service, and is done once. Fails where there is no `apt-get`, and says what to install.
 */
export async function natsServerBinary(): Promise<string> {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/bin'];
  const installed = folders
    .map((folder) => path.join(folder, 'nats-server'))
    .find((file) => existsSync(file));
  if (installed !== undefined) return installed;
  if (!existsSync(unpacked)) await unpack();
  return unpacked;
}

async function unpack(): Promise<void> {
  await mkdir(path.dirname(cache), { recursive: true });
  const folder = await mkdtemp(`${cache}-`);
  try {
    await download(folder);
    const [file] = (await readdir(folder)).filter((name) => name.endsWith('.deb'));
    if (file === undefined) throw new Error('apt-get has left no package');
    await run('dpkg', ['-x', path.join(folder, file), path.join(folder, 'root')]);
    // Other test files may be at it as well: the first one's is as good as ours.
    await rename(path.join(folder, 'root'), cache).catch((error: unknown) => {
      if (!existsSync(unpacked)) throw error;
    });
  } catch (error) {
    throw new Error(
      'there is no nats-server: run scripts/install-system-packages.sh, or put one of 2.9 or later on the PATH',
      { cause: error },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** With the lists of packages that are there; where those are missing or too old, with lists of our own. */
async function download(folder: string): Promise<void> {
  const state = path.join(folder, 'apt');
  const ours = ['-o', `Dir::State::Lists=${state}/lists`, '-o', `Dir::Cache=${state}/cache`];
  const aptGet = async (...args: string[]): Promise<unknown> =>
    // Root would otherwise hand the download to a user who can't write to the folder, and be warned of it.
    await run('apt-get', ['-q', '-o', 'APT::Sandbox::User=', ...args], { cwd: folder, timeout: 120_000 });
  try {
    await aptGet('download', 'nats-server');
  } catch {
    await mkdir(path.join(state, 'lists/partial'), { recursive: true });
    await mkdir(path.join(state, 'cache/archives/partial'), { recursive: true });
    await aptGet(...ours, 'update');
    await aptGet(...ours, 'download', 'nats-server');
  }
}
