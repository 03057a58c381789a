import { readFile } from 'node:fs/promises';
import path from 'node:path';

/** The documents whose shell blocks are executed by tests. */
export const documents = ['DEPLOYMENT.md', 'PRODUCTION.md'] as const;

/**
 * A fenced block of language `sh`. A comment on the line above it says who executes it (`<!-- run: compose -->`: the suite
 * test/compose/compose.test.ts) or why nobody does (`<!-- not run: the reason -->`).
 */
export interface DocumentBlock {
  readonly document: string;
  /** Of the opening fence, from 1. */
  readonly line: number;
  readonly suite: string | null;
  readonly notRunBecause: string | null;
  readonly code: string;
}

const root = path.resolve(import.meta.dirname, '../..');

/** Every shell block of a document, in its order. */
export async function blocksIn(document: string): Promise<readonly DocumentBlock[]> {
  const text = await readFile(path.join(root, document), 'utf8');
  const blocks: DocumentBlock[] = [];
  for (const match of text.matchAll(/^```sh\n(.*?)^```$/gms)) {
    const before = text.slice(0, match.index).split('\n');
    const comment = before.at(-2) ?? '';
    blocks.push({
      document,
      line: before.length,
      suite: /^<!-- run: ([a-z-]+) -->$/.exec(comment)?.[1] ?? null,
      notRunBecause: /^<!-- not run: (.+) -->$/.exec(comment)?.[1] ?? null,
      code: match[1] ?? '',
    });
  }
  return blocks;
}

/** The blocks that a suite executes, document by document. It fails where there are none. */
export async function blocksOf(suite: string): Promise<readonly DocumentBlock[]> {
  const all = await Promise.all(documents.map(blocksIn));
  const blocks = all.flat().filter((block) => block.suite === suite);
  if (blocks.length === 0) throw new Error(`no document has a block for the suite ${suite}`);
  return blocks;
}
