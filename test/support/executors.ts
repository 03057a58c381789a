import type { Receipt } from '../../src/domain/operation.ts';
import { CatalogCache } from '../../src/execution/catalog-cache.ts';
import { Executor, type ExecutorSettings } from '../../src/execution/executor.ts';
import type { ExecutionFailure } from '../../src/execution/failure.ts';
import type { Outcome } from '../../src/execution/request.ts';
import type { Repository } from '../../src/repository/repository.ts';

export const executorSettings: ExecutorSettings = {
  lanes: 2,
  batchMax: 64,
  batchMin: 0,
  batchWaitMs: 20,
  queueMax: 10_000,
  batchAccountWaitMs: 50,
  lockTimeoutMs: 5_000,
  patientWorkers: 4,
  backoff: { retries: 5, baseMs: 1, maxMs: 4 },
  catalogReloads: 3,
};

/** What an executor told its observer. */
export interface Troubles {
  readonly defects: unknown[];
  readonly failedBatches: { readonly error: unknown; readonly commands: number }[];
}

/** An executor with a catalog cache of its own, as a replica has it. */
export function startExecutor(
  repository: Repository,
  settings: Partial<ExecutorSettings> = {},
): { executor: Executor; troubles: Troubles } {
  const troubles: Troubles = { defects: [], failedBatches: [] };
  const executor = new Executor({
    repository,
    catalog: new CatalogCache(repository),
    settings: { ...executorSettings, ...settings },
    observer: {
      onDefect: (error) => troubles.defects.push(error),
      onBatchFailed: (error, { commands }) => troubles.failedBatches.push({ error, commands }),
    },
  });
  return { executor, troubles };
}

/** The parsed receipt of an operation that was carried out; throws what else became of it. */
export function receiptOf(outcome: Outcome): Receipt {
  if (outcome.kind !== 'done') throw new Error(`it was rejected: ${outcome.code}, ${outcome.detail}`);
  return JSON.parse(outcome.receipt) as Receipt;
}

/** What became of it in one word: "done", "replayed", or the code of the rejection or failure. */
export async function wordFor(execution: Promise<Outcome>): Promise<string> {
  try {
    const outcome = await execution;
    if (outcome.kind === 'rejected') return outcome.code;
    return outcome.replayed ? 'replayed' : 'done';
  } catch (error) {
    return (error as ExecutionFailure).code;
  }
}
