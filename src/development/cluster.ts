import { randomBytes } from 'node:crypto';
import { chown, mkdtemp, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DevelopmentLog } from './development-log.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';
import { clusterFolder, type ServerFolder } from './server-folder.ts';
import { runAs } from './server-user.ts';
import { errorCode, unless } from './system-error.ts';

/** A complete cluster: PostgreSQL's data directory and the password of its superuser `postgres`. */
export interface Cluster {
  readonly dataDirectory: string;
  readonly password: string;
}

const initdbMsMax = 60_000;
/** Well past the longest initdb, so that nobody can still be at work in an unfinished folder of this age. */
const abandonedAfterMs = 5 * 60_000;

/**
 * Gives the folder's cluster, made now if there is none; safe when several processes do it at once.
 *
 * A cluster is made in a folder of its own and then renamed into place, with its password. So one that is in place
 * is complete, one that was interrupted never gets there, the first of two makers wins, and nothing that is in
 * place is ever deleted.
 */
export async function openCluster(dependencies: {
  readonly folder: ServerFolder;
  readonly binaries: PostgresBinaries;
  readonly durable: boolean;
  readonly log: DevelopmentLog;
}): Promise<Cluster> {
  const { folder, binaries, log } = dependencies;
  await removeAbandoned(folder.path, log);
  const place = clusterFolder(folder.path);
  if ((await unless(['ENOENT'], stat(place))) === undefined) {
    const startedAt = performance.now();
    await createCluster(dependencies, place);
    log.info(
      { dataFolder: folder.path, durationMs: Math.round(performance.now() - startedAt) },
      'PostgreSQL cluster created',
    );
  }
  const dataDirectory = join(place, 'data');
  const version = (await unless(['ENOENT'], readFile(join(dataDirectory, 'PG_VERSION'), 'utf8')))?.trim();
  const password = (await unless(['ENOENT'], readFile(join(place, 'password'), 'utf8')))?.trim();
  if (version === undefined || password === undefined || password === '') {
    throw new Error(
      `${place} is not a cluster of ours: PG_VERSION or the password is missing. Move it away to start with a new one.`,
    );
  }
  if (version !== binaries.majorVersion) {
    throw new Error(
      `The cluster in ${place} was made by PostgreSQL ${version}; the installed programs are ${binaries.majorVersion}. ` +
        'Move it away, or dump and restore it.',
    );
  }
  return { dataDirectory, password };
}

async function createCluster(
  dependencies: {
    readonly folder: ServerFolder;
    readonly binaries: PostgresBinaries;
    readonly durable: boolean;
  },
  place: string,
): Promise<void> {
  const { folder, binaries, durable } = dependencies;
  const unfinished = await mkdtemp(join(folder.path, 'initdb-'));
  try {
    const passwordFile = join(unfinished, 'password');
    await writeFile(passwordFile, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600 });
    if (folder.user !== undefined) {
      for (const path of [passwordFile, unfinished]) await chown(path, folder.user.uid, folder.user.gid);
    }
    await runAs(folder.user, {
      file: binaries.initdb,
      args: [
        `--pgdata=${join(unfinished, 'data')}`,
        '--username=postgres',
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        // PostgreSQL's own C.UTF-8: code point order and Unicode case on every machine, whatever its libc knows.
        '--locale=C',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        '--no-instructions',
        ...(durable ? [] : ['--no-sync']),
      ],
      folder: unfinished,
      msMax: initdbMsMax,
    });
    if (durable) for (const path of [passwordFile, unfinished]) await flush(path);
    await rename(unfinished, place);
    if (durable) await flush(folder.path);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    // Someone else's cluster got there first: that one is as good.
    if (!['EEXIST', 'ENOTEMPTY'].includes(errorCode(error) ?? '')) throw error;
  }
}

async function flush(path: string): Promise<void> {
  await using handle = await open(path, 'r');
  await handle.sync();
}

/** Removes what starters that were killed left unfinished. Their initdb may live on for a while; hence the age. */
async function removeAbandoned(serverFolder: string, log: DevelopmentLog): Promise<void> {
  for (const name of await readdir(serverFolder)) {
    if (!/^(initdb|copy|probe)-/.test(name)) continue;
    const path = join(serverFolder, name);
    const found = await unless(['ENOENT'], stat(path));
    if (found === undefined || Date.now() - found.mtimeMs < abandonedAfterMs) continue;
    await rm(path, { recursive: true, force: true });
    log.info({ path }, 'Removed what an interrupted start had left');
  }
}
