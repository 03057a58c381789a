import { Command, InvalidArgumentError } from 'commander';
import { listenForInterruption } from '../load/interruption.ts';
import { ProgressBar } from '../src/observability/progress-bar.ts';
import { bench, type ScenarioName } from './bench.ts';
import { machine, summarise, table } from './summary.ts';

/**
 * How much faster Holdfast buys than one transaction a request: exits with 1 when it is less than asked for, or when
 * any balance is wrong.
 */
interface Options {
  readonly seconds: number;
  readonly rounds: number;
  readonly connections: number;
  readonly accounts: number;
  readonly minRatio: number;
  readonly minRatioHot: number;
  readonly json: boolean;
}

const program = new Command('bench')
  .description('Holdfast against one row-locking transaction a request: same work, same database, in turns.')
  .option('--seconds <n>', 'how long each round of each service lasts', number(0.1, 3600), 10)
  .option('--rounds <n>', 'how often each service has its turn', number(1, 100), 5)
  .option('--connections <n>', 'requests in flight', number(1, 1000), 64)
  .option('--accounts <n>', 'accounts that buy', number(1, 10_000), 1000)
  .option('--min-ratio <x>', 'fail below it: many accounts, unlimited listing', number(0, 1000), 4)
  .option('--min-ratio-hot <x>', 'fail below it: one limited listing', number(0, 1000), 8)
  .option('--json', 'print every round as JSON', false)
  .parse();

const options = program.opts<Options>();
const { signal, stopListening } = listenForInterruption();
const bar = new ProgressBar(process.stderr);
try {
  const results = await bench({
    ...options,
    signal,
    onProgress: (fraction, label) => {
      bar.update(fraction, label);
    },
  });
  const summaries = results.map(summarise);
  const { processors, memoryGiB, node } = machine();
  bar.finish(
    `${options.connections} connections, ${options.rounds} rounds of ${options.seconds} s, medians; ${processors}, ${memoryGiB} GiB, Node ${node}`,
  );
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ machine: machine(), options, summaries, results }, null, 2)}\n`
      : `${table(summaries)}\n`,
  );
  const wanted: Readonly<Record<ScenarioName, number>> = {
    unlimited: options.minRatio,
    hot: options.minRatioHot,
  };
  for (const { scenario, ratio } of summaries) {
    if (ratio >= wanted[scenario]) continue;
    process.stderr.write(`${scenario}: ${ratio.toFixed(2)} times is less than ${wanted[scenario]}\n`);
    process.exitCode = 1;
  }
} catch (error) {
  bar.finish(`bench: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  process.exitCode = 1;
} finally {
  stopListening();
}

function number(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? NaN : Number(text);
    if (!(value >= min && value <= max))
      throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`);
    return value;
  };
}
