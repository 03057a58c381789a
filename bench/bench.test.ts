import { execFile } from 'node:child_process';
import path from 'node:path';
import { expect, it } from 'vitest';

interface Output {
  readonly summaries: readonly { scenario: string; ratio: number; holdfast: { purchases: number } }[];
}

it('measures both services, and fails when the ratio is below what was asked for', async () => {
  const short = ['--seconds', '0.5', '--rounds', '1', '--accounts', '50', '--json'];
  const { code, stdout, stderr } = await run([...short, '--min-ratio', '1000', '--min-ratio-hot', '0']);
  expect(stderr).toMatch(/unlimited: [0-9.]+ times is less than 1000\n/);
  expect(stderr).not.toMatch(/hot: .* less than/);
  expect(code).toBe(1);
  const { summaries } = JSON.parse(stdout) as Output;
  expect(summaries.map(({ scenario }) => scenario)).toEqual(['unlimited', 'hot']);
  for (const { ratio, holdfast } of summaries) {
    expect(ratio).toBeGreaterThan(0);
    expect(holdfast.purchases).toBeGreaterThan(0);
  }
}, 60_000);

async function run(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return await new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [path.join(import.meta.dirname, 'main.ts'), ...args],
      { timeout: 50_000 },
      (_error, stdout, stderr) => {
        resolve({ code: child.exitCode ?? -1, stdout, stderr });
      },
    );
  });
}
