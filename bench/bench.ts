import path from 'node:path';
import { startOther } from '../demo/demo-services.ts';
import { startHoldfast } from '../load/holdfast-service.ts';
import { accountNames, ConfirmedPurchases, type ListingName, type Shop } from '../load/shop.ts';
import { startThrowawayPostgres } from '../load/throwaway-postgres.ts';
import { runRound, type Contestant, type RoundResult } from './round.ts';

export interface BenchOptions {
  /** How long one round of one service lasts. */
  readonly seconds: number;
  readonly rounds: number;
  readonly connections: number;
  readonly accounts: number;
  readonly onProgress: (fraction: number, label: string) => void;
  readonly signal: AbortSignal;
}

export type ScenarioName = 'unlimited' | 'hot';

/** The rounds of one scenario: in each, first the row-lock service, then Holdfast. */
export interface ScenarioResult {
  readonly scenario: ScenarioName;
  readonly rounds: readonly { readonly rowLock: RoundResult; readonly holdfast: RoundResult }[];
}

const scenarios: Readonly<Record<ScenarioName, ListingName>> = { unlimited: 'potion', hot: 'crown' };

/** Enough that nobody ever runs out. */
const plenty = 1_000_000_000;
const price = 10;
const warmUpSecondsMax = 3;
const entry = path.resolve(import.meta.dirname, '../src/main.ts');

/**
 * Measures one replica of each service, with one client, on one PostgreSQL, in turns: what else the machine does
 * hits both alike, so the ratio of two neighbours means more than either figure.
 *
 * Each service keeps its database from the first round to the last. The faster one's grows faster, which is to its
 * disadvantage; and neither has to be started, and warmed up, anew.
 */
export async function bench(options: BenchOptions): Promise<readonly ScenarioResult[]> {
  const { accounts, signal, onProgress } = options;
  const shop: Shop = { accounts: accountNames(accounts), gold: plenty, price, stock: plenty };
  onProgress(0, 'starting PostgreSQL and the services');
  const postgres = await startThrowawayPostgres({ purpose: 'bench', log: quiet });
  const contestants: Contestant[] = [];
  try {
    await postgres.makeWalSegments();
    signal.throwIfAborted();
    const common = { replicas: 1, shop };
    const rowLockUrl = await postgres.createDatabase('row_lock');
    const rowLock = await startOther('row-lock', { ...common, databaseUrl: rowLockUrl });
    contestants.push({ name: 'row-lock', service: rowLock, confirmed: new ConfirmedPurchases() });
    const holdfastUrl = await postgres.createDatabase('holdfast_bench');
    const holdfast = await startHoldfast({ ...common, databaseUrl: holdfastUrl, entry });
    contestants.push({ name: 'holdfast', service: holdfast, confirmed: new ConfirmedPurchases() });
    return await runScenarios(contestants, { ...options, shop, postgres: postgres.processId });
  } finally {
    await Promise.all(contestants.map(async ({ service }) => await service.stop()));
    await postgres.remove();
  }
}

type Run = BenchOptions & { readonly shop: Shop; readonly postgres: number };

async function runScenarios(contestants: readonly Contestant[], run: Run): Promise<ScenarioResult[]> {
  const { rounds, seconds, connections, shop, postgres, signal } = run;
  const stepsInAll = Object.keys(scenarios).length * (rounds + 1) * contestants.length;
  let steps = 0;
  const step = async (
    contestant: Contestant,
    { scenario, listing, round }: { scenario: ScenarioName; listing: ListingName; round: number },
  ): Promise<RoundResult> => {
    const what = round === 0 ? 'warm-up' : `round ${round} of ${rounds}`;
    const label = `${scenario}, ${what}: ${contestant.name}`;
    const result = await runRound({
      contestant,
      shop,
      listing,
      connections,
      postgres,
      signal,
      seconds: round === 0 ? Math.min(seconds, warmUpSecondsMax) : seconds,
      name: `${scenario}-${round}`,
      onProgress: (fraction) => {
        run.onProgress((steps + Math.min(1, fraction)) / stepsInAll, label);
      },
    });
    steps += 1;
    return result;
  };
  const [rowLock, holdfast] = contestants;
  if (rowLock === undefined || holdfast === undefined) throw new Error('there are two services to compare');
  const results: ScenarioResult[] = [];
  for (const scenario of ['unlimited', 'hot'] as const) {
    const listing = scenarios[scenario];
    const measured = [];
    for (let round = 0; round <= rounds; round += 1) {
      const pair = {
        rowLock: await step(rowLock, { scenario, listing, round }),
        holdfast: await step(holdfast, { scenario, listing, round }),
      };
      if (round > 0) measured.push(pair);
    }
    results.push({ scenario, rounds: measured });
  }
  return results;
}

const quiet = { info: () => undefined, warn: () => undefined };
