import { mkdtemp, readdir, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DevelopmentLog } from '../../src/development/development-log.ts';
import { readPidFile } from '../../src/development/pid-file.ts';
import { clusterFolder } from '../../src/development/server-folder.ts';
import { isAlive, stopServer } from '../../src/development/server-processes.ts';
import { unless } from '../../src/development/system-error.ts';

const prefix = 'holdfast-test-';

/** Creates an empty folder for a throw-away server. Its name says whose it is, so that a later run can clean up after a killed one. */
export async function createServerFolder(): Promise<string> {
  return await realpath(await mkdtemp(join(tmpdir(), `${prefix}${process.pid}-`)));
}

/** Stops the servers, and removes the folders, of test processes that were killed before they could do it. */
export async function removeAbandonedServers(log: DevelopmentLog): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const owner = name.startsWith(prefix) ? Number.parseInt(name.slice(prefix.length), 10) : NaN;
    if (Number.isNaN(owner) || (await isAlive(owner))) continue;
    // Another run may be cleaning up as well.
    const folder = await unless(['ENOENT'], realpath(join(tmpdir(), name)));
    const found = folder === undefined ? undefined : await unless(['ENOENT'], stat(folder));
    if (folder === undefined || found === undefined || found.uid !== process.getuid?.()) continue;
    await removeServer(folder, log);
    log.info({ folder }, 'Removed the server of a test run that was killed');
  }
}

/** Stops what runs on the folder, whoever started it, and removes the folder. */
export async function removeServer(folder: string, log: DevelopmentLog): Promise<void> {
  const dataDirectory = join(clusterFolder(folder), 'data');
  const processId = (await readPidFile(dataDirectory))?.processId;
  if (processId !== undefined) await stopServer({ processId, dataDirectory, log });
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}
