import { createHash } from 'node:crypto';
import { chmod, chown, lstat, mkdir, mkdtemp, readdir, realpath, rmdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { DevelopmentLog } from './development-log.ts';
import { defaultServerUser, runAs, runsAsRoot, type ServerUser } from './server-user.ts';
import { unless } from './system-error.ts';

/** Where everything of one embedded server lies (its canonical path), and who the server runs as (undefined: as ourselves). */
export interface ServerFolder {
  readonly path: string;
  readonly user: ServerUser | undefined;
}

/** The folder of a complete cluster, inside the server's folder. It comes into being by a rename only. */
export function clusterFolder(serverFolder: string): string {
  return join(serverFolder, 'cluster');
}

/**
 * Gives a folder that the server's user can reach and own files in: the wanted one, or, when we are root and it
 * lies under a private home, one with a name derived from it under `/var/tmp` or the folder for temporary files.
 * A folder that already holds a cluster is preferred, so that data does not seem to vanish when permissions change.
 */
export async function chooseServerFolder(dependencies: {
  readonly dataFolder: string;
  readonly log: DevelopmentLog;
}): Promise<ServerFolder> {
  if (!runsAsRoot()) return await ownFolder(resolve(dependencies.dataFolder));

  const wanted = await createOpenFolder(resolve(dependencies.dataFolder));
  const candidates = [wanted, ...substituteFolders(wanted)];
  for (const path of candidates) {
    const owner = await clusterOwner(path);
    if (owner === undefined) continue;
    // Made by an ordinary user or as `nobody` before there was a `postgres`: the server must be its owner.
    const user = owner.uid === 0 ? await defaultServerUser() : owner;
    if (!(await canOwnFilesIn(path, user))) {
      throw new Error(
        `The cluster in ${path} cannot be reached by its owner (uid ${user.uid}). Make its parent folders accessible.`,
      );
    }
    return { path, user };
  }

  const user = await defaultServerUser();
  for (const path of candidates) {
    if (path !== wanted && !(await createSubstitute(path, dependencies.log))) continue;
    if (!(await canOwnFilesIn(path, user))) continue;
    if (path !== wanted) {
      dependencies.log.warn(
        { dataFolder: path, wanted, uid: user.uid },
        'PostgreSQL runs as another user than root, and that user cannot reach the data folder: using another one',
      );
    }
    return { path, user };
  }
  throw new Error(
    `The user that PostgreSQL would run as (uid ${user.uid}) can use none of ${candidates.join(', ')}. ` +
      'Start as an ordinary user, choose another data folder, or set DATABASE_URL.',
  );
}

async function ownFolder(path: string): Promise<ServerFolder> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const owner = await clusterOwner(path);
  if (owner !== undefined && owner.uid !== process.getuid?.()) {
    throw new Error(
      `The cluster in ${path} belongs to uid ${owner.uid}, and PostgreSQL runs only as the owner. ` +
        'Start as that user or as root, or use another data folder.',
    );
  }
  return { path: await realpath(path), user: undefined };
}

async function clusterOwner(serverFolder: string): Promise<ServerUser | undefined> {
  const found = await unless(['ENOENT'], stat(clusterFolder(serverFolder)));
  return found === undefined ? undefined : { uid: found.uid, gid: found.gid };
}

/** Creates a folder that others may pass through. One that we did not make keeps its mode unless it is empty. */
async function createOpenFolder(path: string): Promise<string> {
  await mkdir(path, { recursive: true });
  const { uid } = await stat(path);
  if (uid === 0 && (await readdir(path)).length === 0) await chmod(path, 0o711);
  return await realpath(path);
}

function substituteFolders(wanted: string): string[] {
  const id = createHash('sha256').update(wanted).digest('hex').slice(0, 12);
  const parents = new Set(['/var/tmp', tmpdir()]);
  return [...parents].map((parent) => join(parent, `holdfast-${id}`));
}

/** Everyone may create names in these parents, so a folder, or a link, that is not root's is someone's trap. */
async function createSubstitute(path: string, log: DevelopmentLog): Promise<boolean> {
  const created = await unless(
    ['EEXIST', 'ENOENT', 'EACCES', 'EROFS'],
    mkdir(path, { mode: 0o711 }).then(() => true),
  );
  if (created) {
    await chmod(path, 0o711);
    return true;
  }
  const found = await unless(['ENOENT'], lstat(path));
  if (found === undefined) return false;
  if (found.isDirectory() && found.uid === 0) return true;
  log.warn({ dataFolder: path }, 'A folder of this name exists but is not ours: not using it');
  return false;
}

/** Really tries it, with a file owner changed and a look from the other user's process: modes alone say too little. */
async function canOwnFilesIn(path: string, user: ServerUser): Promise<boolean> {
  const probe = await mkdtemp(join(path, 'probe-'));
  try {
    await chown(probe, user.uid, user.gid);
    await runAs(user, { file: '/bin/sh', args: ['-c', 'test -w "$0"', probe], folder: '/', msMax: 10_000 });
    return true;
  } catch {
    return false;
  } finally {
    await rmdir(probe);
  }
}
