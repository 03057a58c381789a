import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const outputBytesMax = 64 * 1024 * 1024;

/** Runs a program in a folder to its end and answers its standard output; throws with what it said where that is no success. */
export async function run(root: string, [file, ...args]: readonly [string, ...string[]]): Promise<string> {
  try {
    const { stdout } = await execute(file, args, { cwd: root, maxBuffer: outputBytesMax });
    return stdout;
  } catch (error) {
    const said =
      error instanceof Error && 'stdout' in error && 'stderr' in error ? [error.stdout, error.stderr] : [];
    throw new Error(`${[file, ...args].join(' ')} failed:\n${said.map(String).join('').trim()}`, {
      cause: error,
    });
  }
}
