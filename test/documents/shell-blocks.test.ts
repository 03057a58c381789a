import { existsSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { blocksIn, documents } from '../support/document-blocks.ts';

/** Where the suites are that execute blocks. */
const folders = ['deploy', 'compose'].map((name) => path.resolve(import.meta.dirname, '..', name));

test.each(documents)('every shell block of %s is executed by a suite, or says why not', async (document) => {
  const blocks = await blocksIn(document);
  const unclaimed = blocks.filter(
    ({ suite, notRunBecause }) =>
      notRunBecause === null &&
      (suite === null || !folders.some((folder) => existsSync(path.join(folder, `${suite}.test.ts`)))),
  );
  expect(unclaimed).toEqual([]);
});
