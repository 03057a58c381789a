import { cpus, totalmem } from 'node:os';
import type { ScenarioName, ScenarioResult } from './bench.ts';
import type { RoundResult } from './round.ts';

/** What the rounds of a scenario say together. */
export interface Summary {
  readonly scenario: ScenarioName;
  /** Purchases per second of Holdfast over those of the row-lock service: of each pair, and their median. */
  readonly ratios: readonly number[];
  readonly ratio: number;
  readonly rowLock: RoundResult;
  readonly holdfast: RoundResult;
}

const titles: Readonly<Record<ScenarioName, string>> = {
  unlimited: 'many accounts, unlimited listing',
  hot: 'one limited listing',
};

export function summarise({ scenario, rounds }: ScenarioResult): Summary {
  const ratios = rounds.map(
    ({ rowLock, holdfast }) => holdfast.purchasesPerSecond / rowLock.purchasesPerSecond,
  );
  return {
    scenario,
    ratios,
    ratio: median(ratios),
    rowLock: medians(rounds.map(({ rowLock }) => rowLock)),
    holdfast: medians(rounds.map(({ holdfast }) => holdfast)),
  };
}

/** The summaries as a table for people. */
export function table(summaries: readonly Summary[]): string {
  const head = [
    'service',
    'purchases/s',
    'p50 ms',
    'p90 ms',
    'p99 ms',
    'max ms',
    'CPU µs a purchase: server',
    'PostgreSQL',
    'client',
  ];
  const lines: string[] = [];
  for (const { scenario, ratio, ratios, rowLock, holdfast } of summaries) {
    const rows = [head, cells('row locks, Fastify and Kysely', rowLock), cells('Holdfast', holdfast)];
    const widths = head.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
    lines.push(
      `\n${titles[scenario]}`,
      ...rows.map((row) =>
        row
          .map((cell, column) =>
            column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
          )
          .join('  '),
      ),
      `Holdfast is ${ratio.toFixed(1)} times as fast (each pair: ${ratios.map((one) => one.toFixed(1)).join(', ')})`,
    );
  }
  return lines.join('\n');
}

/** The machine that it was measured on. */
export function machine(): { processors: string; memoryGiB: number; node: string; platform: string } {
  const all = cpus();
  return {
    processors: `${all.length} × ${all[0]?.model.trim() ?? 'unknown'}`,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
  };
}

function cells(name: string, { purchasesPerSecond, latencyMs, cpuUs }: RoundResult): string[] {
  const { p50, p90, p99, max } = latencyMs;
  return [
    name,
    Math.round(purchasesPerSecond).toLocaleString('en'),
    ...[p50, p90, p99, max].map((ms) => ms.toFixed(1)),
    ...[cpuUs.server, cpuUs.postgres, cpuUs.client].map((us) => us.toFixed(0)),
  ];
}

/** Of each figure by itself. */
function medians(rounds: readonly RoundResult[]): RoundResult {
  const of = (figure: (round: RoundResult) => number): number => median(rounds.map(figure));
  return {
    purchases: of((round) => round.purchases),
    purchasesPerSecond: of((round) => round.purchasesPerSecond),
    latencyMs: {
      p50: of((round) => round.latencyMs.p50),
      p90: of((round) => round.latencyMs.p90),
      p99: of((round) => round.latencyMs.p99),
      max: of((round) => round.latencyMs.max),
    },
    cpuUs: {
      server: of((round) => round.cpuUs.server),
      postgres: of((round) => round.cpuUs.postgres),
      client: of((round) => round.cpuUs.client),
    },
  };
}

/** The middle one, or between the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle)] ?? NaN)) / 2;
}
