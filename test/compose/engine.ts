import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** What a command said on its standard output; one that fails throws, with all that it said. */
export async function run(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  try {
    const { stdout } = await execute(command, args, { ...options, maxBuffer: 64 * 1024 * 1024 });
    return stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}\n${stderr}`, { cause: error });
  }
}

export async function docker(...args: readonly string[]): Promise<string> {
  return (await run('docker', args)).trim();
}

/** Fails, saying what to do, where there is no engine. */
export async function requireEngine(): Promise<void> {
  try {
    await docker('version');
  } catch (error) {
    throw new Error('no container engine answers: see test/compose/README.md', { cause: error });
  }
}
