import { execFile } from 'node:child_process';
import { mkdir, readdir, symlink } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = path.resolve(import.meta.dirname, '../..');
const outputBytesMax = 64 * 1024 * 1024;

export type Environment = Readonly<Record<string, string | undefined>>;

/** Makes the package into a folder, as `npm pack` of a checkout does, and answers its file. */
export async function packInto(folder: string): Promise<string> {
  await run('npm', ['pack', '--pack-destination', folder], { cwd: root, maxBuffer: outputBytesMax });
  const [name, ...others] = (await readdir(folder)).filter((file) => file.endsWith('.tgz'));
  if (name === undefined || others.length > 0)
    throw new Error(`npm pack left ${String(name)} and ${others.join(', ')}`);
  return path.join(folder, name);
}

/**
 * The environment of someone who has no checkout: nothing of the npm script that runs us, no program of ours in PATH. npm
 * keeps what npx installs below `folder`; what it downloads it shares with everyone.
 */
export async function environmentWithoutCheckout(folder: string): Promise<Environment> {
  const { stdout } = await run('npm', ['config', 'get', 'cache'], { cwd: root });
  const cache = path.join(folder, 'npm-cache');
  await mkdir(cache);
  await mkdir(path.join(stdout.trim(), '_cacache'), { recursive: true });
  await symlink(path.join(stdout.trim(), '_cacache'), path.join(cache, '_cacache'));
  const ours =
    /^(npm_(package|lifecycle|command|execpath|node_execpath|config_(local_)?prefix)|INIT_CWD|NODE$|VITEST)/;
  const kept = Object.entries(process.env).filter(([name]) => !ours.test(name));
  const programs = (process.env['PATH'] ?? '')
    .split(path.delimiter)
    .filter((entry) => !entry.includes('node_modules') && !entry.includes('node-gyp-bin'));
  return {
    ...Object.fromEntries(kept),
    NODE_ENV: undefined,
    DATABASE_URL: undefined,
    ADMIN_API_KEY: undefined,
    PATH: programs.join(path.delimiter),
    npm_config_cache: cache,
    npm_config_prefer_offline: 'true',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
  };
}

/** Runs a program to its end and answers what it printed on both streams; throws with it where that is no success. */
export async function outputOf(
  program: readonly [string, ...string[]],
  { cwd, env }: { cwd: string; env: Environment },
): Promise<string> {
  const [file, ...args] = program;
  const { stdout, stderr } = await run(file, args, { cwd, env, maxBuffer: outputBytesMax });
  return stdout + stderr;
}
