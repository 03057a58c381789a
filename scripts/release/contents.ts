import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Check } from './check.ts';
import { run } from './run.ts';

/** What the package may be made of: compiled code, documents, and what an operator copies. */
const expected = [
  /^(package\.json|LICENSE|(README|CHANGELOG|DEPLOYMENT|PRODUCTION)\.md|start_production\.sh)$/,
  /^dist\/package\.json$/,
  /^dist\/(src|migrations|demo|load)\/([\w-]+\/)*[\w-]+\.js$/,
  /^deploy\/([\w-]+\/)*[\w@-]+(\.[\w-]+)+$/,
];

/** It would be found by whoever looks into the package. */
const secrets: Readonly<Record<string, RegExp>> = {
  'a private key': /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  'an API key': /\bhf_[\w-]{32,}/,
  'a token of npm': /\bnpm_[A-Za-z0-9]{36}\b/,
  'a token of GitHub': /\bgh[pousr]_[A-Za-z0-9]{36}/,
  'a key of AWS': /\bAKIA[0-9A-Z]{16}\b/,
};

/** Whether a file belongs into the package. */
export function isExpected(file: string): boolean {
  return expected.some((pattern) => pattern.test(file));
}

/** Makes the package, lists it, and looks into it: code that runs, no test, no source, nothing secret. */
export const contents: Check = {
  name: 'the package holds what it should',
  faults: async ({ root, output, name, version }) => {
    await run(root, ['npm', 'pack', '--pack-destination', output]);
    const archive = path.join(output, `${name}-${version}.tgz`);
    const unpacked = await mkdtemp(path.join(tmpdir(), `${name}-contents-`));
    try {
      await run(root, ['tar', '-xzf', archive, '-C', unpacked, '--strip-components=1']);
      const listed = (await run(root, ['tar', '-tzf', archive])).trim().split('\n');
      const files = listed.map((entry) => entry.replace(/^package\//, '')).toSorted();
      process.stdout.write(`${archive}:\n${files.map((file) => `    ${file}\n`).join('')}`);
      const faults = files
        .filter((file) => !isExpected(file))
        .map((file) => `${file} does not belong into it`);
      if (!files.includes('dist/src/main.js')) faults.push('dist/src/main.js is missing');
      for (const file of files) {
        const text = await readFile(path.join(unpacked, file), 'utf8');
        for (const [what, pattern] of Object.entries(secrets))
          if (pattern.test(text)) faults.push(`${file} has ${what} in it`);
      }
      return faults;
    } finally {
      await rm(unpacked, { recursive: true });
    }
  },
};
