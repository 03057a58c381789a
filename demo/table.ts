import type { Audit } from '../load/shop.ts';
import type { RushResult } from './rush.ts';

/** One run of one service. */
export interface TableRow {
  readonly label: string;
  readonly result: RushResult;
  readonly audit: Audit;
}

/** A title of two lines, and what stands below it. */
interface Column {
  readonly title: readonly [string, string];
  readonly cell: (row: TableRow) => string;
}

const columns: readonly Column[] = [
  { title: ['', 'three replicas'], cell: ({ label }) => label },
  { title: ['', 'expected'], cell: ({ audit }) => count(audit.expected) },
  { title: ['', 'found'], cell: ({ audit }) => count(audit.found) },
  { title: ['lost', 'updates'], cell: ({ audit }) => count(audit.lost) },
  { title: ['over-', 'sold'], cell: ({ audit }) => count(audit.oversold) },
  { title: ['purchases', 'a second'], cell: ({ result }) => count(result.purchasesPerSecond) },
  { title: ['p50', 'ms'], cell: ({ result }) => result.report.latencies.quantileMs(0.5).toFixed(1) },
  { title: ['p99', 'ms'], cell: ({ result }) => result.report.latencies.quantileMs(0.99).toFixed(1) },
];

/** What every service confirmed and what its books say, side by side. */
export function table(rows: readonly TableRow[]): string {
  const lines = [
    columns.map(({ title }) => title[0]),
    columns.map(({ title }) => title[1]),
    ...rows.map((row) => columns.map(({ cell }) => cell(row))),
  ];
  const widths = columns.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  const text = lines.map((line) =>
    line
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  '),
  );
  text.splice(2, 0, '─'.repeat(widths.reduce((sum, width) => sum + width + 2, -2)));
  return text.join('\n');
}

export function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}
