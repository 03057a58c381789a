import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { billOfMaterials } from './release/bill-of-materials.ts';
import type { Check, Checkout } from './release/check.ts';
import { contents } from './release/contents.ts';
import { changelogEntry, cleanTree, tagIsFree } from './release/history.ts';
import { licences } from './release/licences.ts';
import { run } from './release/run.ts';

/**
 * Checks that the checkout in the current folder can be released, and makes in `release/` what is: the package and its bill
 * of materials. Ends with 1, and says everything that is wrong, where it can't. docs/releasing.md says what comes before
 * and after.
 */
const checks: readonly Check[] = [
  cleanTree,
  changelogEntry,
  tagIsFree,
  licences,
  {
    name: 'every shell block of the guides is executed, or says why not',
    faults: async ({ root }) => {
      await run(root, ['npm', 'run', 'test:documents']);
      return [];
    },
  },
  contents,
  billOfMaterials,
];

const checkout = await checkoutAt(process.cwd());
for (const check of checks) {
  const faults = await faultsOf(check);
  process.stdout.write(`${faults.length === 0 ? 'ok    ' : 'FAILED'} ${check.name}\n`);
  for (const fault of faults) process.stdout.write(`       ${fault.replaceAll('\n', '\n       ')}\n`);
  if (faults.length > 0) process.exitCode = 1;
}

async function checkoutAt(root: string): Promise<Checkout> {
  const manifest = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
  };
  const output = path.join(root, 'release');
  await rm(output, { recursive: true, force: true });
  await mkdir(output);
  return { root, output, name: manifest.name, version: manifest.version };
}

/** One that could not be made is one that failed, and the others are made all the same. */
async function faultsOf({ faults }: Check): Promise<readonly string[]> {
  try {
    return await faults(checkout);
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}
