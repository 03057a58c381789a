import { existsSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { blocksIn, documents } from '../support/document-blocks.ts';

const suites = path.resolve(import.meta.dirname, '../deploy');

test.each(documents)('every shell block of %s is executed by a suite, or says why not', async (document) => {
  const blocks = await blocksIn(document);
  const unclaimed = blocks.filter(
    ({ suite, notRunBecause }) =>
      notRunBecause === null && (suite === null || !existsSync(path.join(suites, `${suite}.test.ts`))),
  );
  expect(unclaimed).toEqual([]);
});
