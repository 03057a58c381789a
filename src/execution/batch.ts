import type { Catalog } from '../domain/catalog.ts';
import type { Footprint } from '../domain/command.ts';
import type { Account } from '../domain/account.ts';
import type { LedgerRows } from '../domain/ledger.ts';
import type { Stock } from '../domain/stock.ts';
import { OutcomeUnknownError } from '../repository/errors.ts';
import type { RecordedKey, Repository, Tx } from '../repository/repository.ts';
import type { ExecutionFailure } from './failure.ts';
import { unite } from './footprints.ts';
import { Judge, scopeOf } from './judge.ts';
import type { Pending } from './pending.ts';
import type { Outcome } from './request.ts';

/** How a batch deals with rows that someone else has locked. */
export interface LockPolicy {
  /** How long to wait for one account's lock. */
  readonly accountWaitMs: number;
  /** Pass over rows that are taken, without waiting; the commands that need them come back undecided. */
  readonly passOver: 'nothing' | 'accounts' | 'accounts and stock';
}

/** What became of a command in a batch that was kept. */
export type Verdict = Outcome | ExecutionFailure | Missed;

/** It could not be decided: rows that it needs were passed over. */
export interface Missed {
  readonly kind: 'missed';
  readonly rows: 'accounts' | 'stock';
}

/** The catalog that the batch was built on is no longer the current one. Nothing was kept. */
export class CatalogReplacedError extends Error {
  override name = 'CatalogReplacedError';
}

/**
 * Decides these commands one after another on the same locked state, in one transaction, and keeps what they changed
 * with one commit. The verdicts stand only once this resolves: also a rejection, a replay or a dry run rests on its
 * neighbours in the batch, and would be wrong if those were not kept.
 *
 * Throws `CatalogReplacedError` and what the repository throws; whatever it throws, it is noted on the commands that may
 * have been kept: by this batch, after an `OutcomeUnknownError`, or by an earlier one, whose records were seen here.
 */
export async function runBatch(
  batch: readonly Pending[],
  { repository, catalog, policy }: { repository: Repository; catalog: Catalog; policy: LockPolicy },
): Promise<readonly Verdict[]> {
  const footprints = batch.map(({ request }) => request.command.footprint(catalog));
  const united = unite(footprints);
  const created = new Set(
    batch.flatMap(({ request }, i) => (request.dryRun ? [] : (footprints[i]?.creates ?? []))),
  );
  let written: readonly Pending[] = [];
  let onRecord: readonly Pending[] = [];
  try {
    return await repository.transaction(
      async (tx) => {
        const locked = await lockAndRead(tx, { ...united, creates: [...created] }, batch, policy);
        if (locked.catalogVersion !== catalog.version) throw new CatalogReplacedError();
        const judge = new Judge({ catalog, footprint: united, ...locked });
        const verdicts = batch.map((pending, i) => missed(footprints[i], locked) ?? judge.decide(pending));
        tx.save(judge.changes());
        written = judge.written;
        onRecord = judge.onRecord;
        // Decided anew under its key's lock: whatever an earlier attempt sent was not kept.
        for (const pending of written) pending.outcomeUnknown = false;
        return verdicts;
      },
      { accountWaitMs: policy.accountWaitMs },
    );
  } catch (error) {
    if (error instanceof OutcomeUnknownError) for (const pending of written) pending.outcomeUnknown = true;
    // It is on record, so nobody may be told that nothing was changed; that it lasts was not confirmed.
    for (const pending of onRecord) pending.outcomeUnknown = true;
    throw error;
  }
}

interface Locked {
  readonly rows: LedgerRows;
  readonly recorded: readonly RecordedKey[];
  readonly takenAccounts: ReadonlySet<string>;
  readonly takenStock: ReadonlySet<string>;
  readonly catalogVersion: number;
  readonly nowMs: number;
}

/**
 * Everything a batch needs to know, in one flush. The order is the design: rows are ensured before any lock, locks are
 * taken in the global order, what they guard is read by later statements, and the clock is read last.
 */
async function lockAndRead(
  tx: Tx,
  footprint: Footprint,
  batch: readonly Pending[],
  { passOver }: LockPolicy,
): Promise<Locked> {
  const [, accounts, stock, recorded, holdings, purchases, now] = await Promise.all([
    tx.ensureAccounts(footprint.creates),
    passOver === 'nothing' ? lockAccounts(tx, footprint) : tx.lockFreeAccounts(footprint.accounts),
    passOver === 'accounts and stock' ? tx.lockFreeStock(footprint.stock) : lockStock(tx, footprint),
    tx.recorded(batch.map(scopeOf)),
    tx.holdings(footprint.holdings),
    tx.purchaseCounts(footprint.purchases),
    tx.now(),
  ]);
  return {
    rows: { accounts: accounts.accounts, stock: stock.stock, holdings, purchases },
    recorded,
    takenAccounts: new Set(accounts.taken),
    takenStock: new Set(stock.taken),
    ...now,
  };
}

async function lockAccounts(
  tx: Tx,
  { accounts }: Footprint,
): Promise<{ accounts: readonly Account[]; taken: readonly string[] }> {
  return { accounts: await tx.lockAccounts(accounts), taken: [] };
}

async function lockStock(
  tx: Tx,
  { stock }: Footprint,
): Promise<{ stock: readonly Stock[]; taken: readonly string[] }> {
  return { stock: await tx.lockStock(stock), taken: [] };
}

function missed(footprint: Footprint | undefined, { takenAccounts, takenStock }: Locked): Missed | undefined {
  if (footprint?.accounts.some((account) => takenAccounts.has(account)))
    return { kind: 'missed', rows: 'accounts' };
  if (footprint?.stock.some((listing) => takenStock.has(listing))) return { kind: 'missed', rows: 'stock' };
  return undefined;
}
