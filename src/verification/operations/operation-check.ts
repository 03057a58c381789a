import { feedStart } from '../../repository/audit.ts';
import type { LedgerCheck, VerificationRun } from '../ledger-check.ts';
import { readOperationPage, type OperationPage } from './operation-page.ts';
import type { OperationPart } from './operation-part.ts';
import { RecordPart } from './record.ts';
import { StatedEntriesPart } from './stated-entries.ts';

/** What is checked of each operation: a new one is its file, and a line here. */
function operationParts(run: VerificationRun): readonly OperationPart[] {
  return [new RecordPart(run), new StatedEntriesPart(run)];
}

/**
 * Goes through all operations in the order of the feed, up to where it was complete when this began. What is recorded of
 * an operation and its entries was committed together and never changes, so any snapshot that shows it shows all of it.
 */
export const operationCheck: LedgerCheck = {
  name: 'operations',
  share: 6,
  async run(run) {
    const parts = operationParts(run);
    const through = await run.audit.horizon();
    for (let after = feedStart, isLast = false; !isLast;) {
      const range = { after, through, limit: run.pageRows };
      const page: OperationPage = await run.page(
        async (snapshot) => await readOperationPage(snapshot, range),
      );
      run.counts.operations += page.operations.length;
      for (const operation of page.operations) for (const part of parts) part.operation(operation);
      after = page.operations.at(-1)?.row ?? after;
      isLast = page.isLast;
      run.progress(after.position / through);
    }
    await checkEnd(run);
  },
};

/** Nothing may stand where the feed has not come to yet: its readers would not find it before they find what is to come. */
async function checkEnd(run: VerificationRun): Promise<void> {
  const { last, beyond } = await run.page(async (snapshot) => {
    const last = await snapshot.lastPosition();
    const after = { ...feedStart, position: last + 1 };
    return { last, beyond: await snapshot.operations(after, null, run.pageRows) };
  });
  for (const { id, position } of beyond) {
    run.findings.add(
      'position_range',
      { operation: id },
      {
        expected: `1–${last}`,
        found: position,
        message: `operation ${id} has position ${position}, and the last that was given out is ${last}`,
      },
    );
  }
}
