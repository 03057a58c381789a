import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Audit, Snapshot } from '../../src/repository/audit.ts';
import { PostgresRepository } from '../../src/repository/postgres/repository.ts';
import { postgresSettings } from '../support/repositories.ts';
import { verifierOf } from '../support/verifying.ts';
import { startLiveLedger, type LiveLedger } from './live-ledger.ts';

const { signal } = new AbortController();
const pageSizes = [20, 75, 500, 5000];
const verifyForMs = 5000;
const controlMsMax = 15_000;

describe('while three replicas write to the same few accounts and stocks', () => {
  let ledger: LiveLedger;
  let repository: PostgresRepository;

  beforeAll(async () => {
    ledger = await startLiveLedger();
    repository = PostgresRepository.open(postgresSettings(ledger.url, 'verifier'), () => undefined);
  });

  afterAll(async () => {
    expect(await ledger.stop()).toEqual([]);
    // Also at rest, when nothing is left to the next verification.
    const { discrepancies } = await verifierOf(repository.audit).verify({ signal });
    expect(discrepancies).toEqual([]);
    await repository.close();
  });

  test('no verification finds anything', async () => {
    const before = ledger.written();
    const endsAtMs = performance.now() + verifyForMs;
    let verifications = 0;
    while (performance.now() < endsAtMs || verifications < pageSizes.length) {
      const pageRows = pageSizes[verifications % pageSizes.length] ?? 1;
      const { discrepancies } = await verifierOf(repository.audit, { pageRows }).verify({ signal });
      expect(discrepancies, `in pages of ${pageRows}`).toEqual([]);
      verifications += 1;
    }
    expect(ledger.written() - before).toBeGreaterThan(200);
  });

  // Without this the test above would prove nothing.
  test('one whose reads share no snapshot does find what is not there', async () => {
    expect(await somethingFound(repository.audit, sharingNoSnapshot)).not.toEqual([]);
  }, 30_000);
});

/** Verifies again and again until something is found; answers the kinds of it. */
async function somethingFound(audit: Audit, changed: (audit: Audit) => Audit): Promise<string[]> {
  const endsAtMs = performance.now() + controlMsMax;
  while (performance.now() < endsAtMs) {
    const { discrepancies } = await verifierOf(changed(audit), { pageRows: 40 }).verify({ signal });
    if (discrepancies.length > 0) return [...new Set(discrepancies.map(({ kind }) => kind))];
  }
  return [];
}

function sharingNoSnapshot(audit: Audit): Audit {
  const apart: Snapshot = {
    operations: (...query) => audit.snapshot((snapshot) => snapshot.operations(...query), signal),
    stockLines: (...query) => audit.snapshot((snapshot) => snapshot.stockLines(...query), signal),
    operationsById: (...query) => audit.snapshot((snapshot) => snapshot.operationsById(...query), signal),
    lastPosition: () => audit.snapshot((snapshot) => snapshot.lastPosition(), signal),
    entries: (...query) => audit.snapshot((snapshot) => snapshot.entries(...query), signal),
    lastVersion: (...query) => audit.snapshot((snapshot) => snapshot.lastVersion(...query), signal),
    entriesAt: (...query) => audit.snapshot((snapshot) => snapshot.entriesAt(...query), signal),
    accounts: (...query) => audit.snapshot((snapshot) => snapshot.accounts(...query), signal),
    holdings: (...query) => audit.snapshot((snapshot) => snapshot.holdings(...query), signal),
    purchaseCounts: (...query) => audit.snapshot((snapshot) => snapshot.purchaseCounts(...query), signal),
    stock: (...query) => audit.snapshot((snapshot) => snapshot.stock(...query), signal),
    listings: (...query) => audit.snapshot((snapshot) => snapshot.listings(...query), signal),
  };
  return {
    snapshot: (work) => work(apart),
    horizon: () => audit.horizon(),
    estimatedEntries: () => audit.estimatedEntries(),
  };
}
