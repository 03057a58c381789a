import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { restock, startHoldfast } from '../load/holdfast-service.ts';
import { listenForInterruption } from '../load/interruption.ts';
import {
  accountNames,
  audit,
  ConfirmedPurchases,
  type Audit,
  type Shop,
  type ShopService,
} from '../load/shop.ts';
import { startThrowawayPostgres, type ThrowawayPostgres } from '../load/throwaway-postgres.ts';
import { ProgressBar } from '../src/observability/progress-bar.ts';
import { startOther } from './demo-services.ts';
import { buyers, rush, type RushResult } from './rush.ts';
import { count, table, type TableRow } from './table.ts';

/** Few accounts, so that their rows are fought over, and one limited listing that everyone wants first. */
const shop: Shop = { accounts: accountNames(8), gold: 1_000_000_000, price: 10, stock: 1000 };
const replicas = 3;
const durationMs = 6000;
/** When the replica is killed, as a share of the run: in full flow, with time to see the others go on. */
const killedAfter = 0.4;

/**
 * Shows one workload on three replicas of each: a service with a mutex in its memory, one that locks rows in a
 * transaction a request, and Holdfast, whose first replica is then killed. Answers the exit code: 0 when the mutex
 * lost updates, the other two lost none, and Holdfast's ledger verifies. Leaves nothing behind.
 */
export async function demo(): Promise<number> {
  const { signal, stopListening } = listenForInterruption();
  const bar = new ProgressBar(process.stdout);
  bar.update(0, 'starting PostgreSQL');
  let postgres: ThrowawayPostgres | undefined;
  try {
    say(
      `Three replicas, one PostgreSQL. ${buyers} buyers on ${shop.accounts.length} accounts rush for ${count(shop.stock)} crowns, and buy`,
    );
    say(
      `potions when those are sold out, for ${durationMs / 1000} s. What the service confirmed is compared with its books.\n`,
    );
    postgres = await startThrowawayPostgres({ purpose: 'demo', log: quiet });
    return await show({ postgres, bar, signal });
  } catch (error) {
    if (!signal.aborted) throw error;
    bar.finish('Stopped.');
    return 1;
  } finally {
    await postgres?.remove();
    stopListening();
  }
}

interface Stage {
  readonly postgres: ThrowawayPostgres;
  readonly bar: ProgressBar;
  readonly signal: AbortSignal;
}

async function show(stage: Stage): Promise<number> {
  const mutex = await withService(stage, 'unsafe_mutex', startUnsafeMutex, async (service) =>
    run(stage, service, { label: '(a) mutex in each process' }),
  );
  stage.bar.finish(
    `(a) A mutex in each process: ${count(mutex.audit.expected)} purchases were confirmed and ${count(mutex.audit.found)} were paid for; ` +
      `${count(mutex.audit.oversold)} crowns were sold that did not exist.`,
  );
  const rowLock = await withService(stage, 'row_lock', startRowLock, async (service) =>
    run(stage, service, { label: '(b) row locks, one by one' }),
  );
  stage.bar.finish(
    `(b) Row locks, one transaction a request: ${verdict(rowLock.audit)}, at ${count(rowLock.result.purchasesPerSecond)} purchases a second.`,
  );
  return await withService(stage, 'holdfast_demo', startHoldfastReplicas, async (service) => {
    const confirmed = new ConfirmedPurchases();
    const holdfast = await run(stage, service, { label: '(c) Holdfast', confirmed });
    stage.bar.finish(
      `(c) Holdfast, row locks and group commit: ${verdict(holdfast.audit)}, at ${count(holdfast.result.purchasesPerSecond)} purchases a second.`,
    );
    const killed = await runWithKill(stage, service, confirmed);
    stage.bar.finish(
      `    One of its replicas was killed in full flow: ${verdict(killed.audit)}. ` +
        `${count(killed.result.retried)} purchases were asked for again, under their keys, and made once.`,
    );
    const rows = [mutex, rowLock, holdfast, killed];
    say(`\n${table(rows)}\n`);
    const sound = await verify(service.databaseUrl, stage.signal);
    const shown = mutex.audit.lost > 0 && rows.slice(1).every(({ audit: { wrongRows } }) => wrongRows === 0);
    say(shown && sound ? conclusion : 'The demonstration did not show what it is meant to show.');
    return shown && sound ? 0 : 1;
  });
}

const conclusion =
  'A lock in the memory of a process protects nothing when there are two. A lock on the row protects it from everyone.';

/** The same rush on more crowns, in which one replica is killed: its buyers go on to the other two. */
async function runWithKill(
  stage: Stage,
  service: ShopService,
  confirmed: ConfirmedPurchases,
): Promise<TableRow> {
  await restock(service, shop.stock);
  const [victim] = service.replicas;
  const timer = setTimeout(() => victim?.kill('SIGKILL'), durationMs * killedAfter);
  try {
    return await run(stage, service, {
      label: '(c) Holdfast, one replica killed',
      confirmed,
      offered: 2 * shop.stock,
    });
  } finally {
    clearTimeout(timer);
  }
}

async function run(
  { bar, signal }: Stage,
  service: ShopService,
  options: { label: string; confirmed?: ConfirmedPurchases; offered?: number },
): Promise<TableRow> {
  const { label, confirmed = new ConfirmedPurchases(), offered = shop.stock } = options;
  const before = { expected: confirmed.count, found: confirmed.count };
  const result: RushResult = await rush({
    service,
    shop,
    confirmed,
    durationMs,
    name: `run-${offered}`,
    onProgress: (fraction, purchases) => {
      bar.update(fraction, `${label}: ${count(purchases)} purchases`);
    },
    signal,
  });
  const books = await audit(service.databaseUrl, { ...shop, stock: offered }, confirmed);
  // Of this run alone, so that the rows of the table compare.
  return {
    label,
    result,
    audit: { ...books, expected: books.expected - before.expected, found: books.found - before.found },
  };
}

async function withService<Result>(
  { postgres, bar, signal }: Stage,
  database: string,
  start: (databaseUrl: string) => Promise<ShopService>,
  work: (service: ShopService) => Promise<Result>,
): Promise<Result> {
  signal.throwIfAborted();
  bar.update(0, 'starting three replicas');
  const service = await start(await postgres.createDatabase(database));
  try {
    signal.throwIfAborted();
    return await work(service);
  } finally {
    await service.stop();
  }
}

async function startUnsafeMutex(databaseUrl: string): Promise<ShopService> {
  return await startOther('unsafe-mutex', { databaseUrl, replicas, shop });
}

async function startRowLock(databaseUrl: string): Promise<ShopService> {
  return await startOther('row-lock', { databaseUrl, replicas, shop });
}

async function startHoldfastReplicas(databaseUrl: string): Promise<ShopService> {
  return await startHoldfast({ entry: entry(), databaseUrl, replicas, shop });
}

/** `holdfast verify`, as anyone would run it: answers whether the ledger is sound. */
async function verify(databaseUrl: string, signal: AbortSignal): Promise<boolean> {
  say('Every entry, balance, version and stock of Holdfast’s ledger, checked by `holdfast verify`:\n');
  const child = spawn(process.execPath, [entry(), 'verify'], {
    env: { ...process.env, NODE_ENV: 'development', DATABASE_URL: databaseUrl },
    stdio: ['ignore', 'inherit', 'inherit'],
    signal,
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code === 0;
}

/** The command line's own file. */
function entry(): string {
  return process.argv[1] ?? '';
}

function verdict({ lost, oversold, wrongRows }: Audit): string {
  if (wrongRows === 0) return 'nothing was lost';
  return `${count(lost)} updates lost, ${count(oversold)} oversold, ${count(wrongRows)} balances wrong`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

const quiet = { info: () => undefined, warn: () => undefined };
