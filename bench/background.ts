import { parseArgs } from 'node:util';
import { listenForInterruption } from '../load/interruption.ts';
import { ProgressBar } from '../src/observability/progress-bar.ts';
import { benchBackground, type BackgroundRound, type Quantiles } from './background-bench.ts';
import { NatsServer } from '../load/nats-server.ts';
import { machine, median } from './summary.ts';

/**
 * What consumers of the feed cost those who call, and how far behind they fall. Exits with 1 where it is more than is
 * asked for: see the bounds below.
 */
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '12' },
    connections: { type: 'string', default: '64' },
    rewarded: { type: 'string', default: '0.1' },
    types: { type: 'string', default: 'reward' },
    'no-bounds': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const bounds = { costMax: 0.05, p99RatioMax: 1.5, behindSecondsMax: 5, caughtUpSecondsMax: 60 };

const { signal, stopListening } = listenForInterruption();
const bar = new ProgressBar(process.stderr);
const broker = await NatsServer.start();
try {
  const options = {
    seconds: inBounds('seconds', 0.5, 600),
    rounds: inBounds('rounds', 1, 100),
    connections: inBounds('connections', 1, 1000),
    rewarded: inBounds('rewarded', 0, 1),
    types: values.types === 'all' ? [] : values.types.split(','),
  };
  const result = await benchBackground({
    ...options,
    natsUrl: broker.url,
    signal,
    onProgress: (fraction, label) => {
      bar.update(fraction, label);
    },
  });
  const over = (pick: (round: BackgroundRound) => number): number => median(result.rounds.map(pick));
  const cost = over(({ withoutPerSecond, idlePerSecond }) => 1 - idlePerSecond / withoutPerSecond);
  const p99Ratio = over(({ idleMs, busyMs }) => busyMs.p99 / idleMs.p99);
  const behindSeconds = over(({ behindSecondsMax }) => behindSecondsMax);
  const quantiles = (pick: (round: BackgroundRound) => Quantiles): string =>
    (['p50', 'p90', 'p99'] as const)
      .map((name) => `${name} ${over((round) => pick(round)[name]).toFixed(1)}`)
      .join(', ') + ' ms';
  const busyCost = over(({ busy, idlePerSecond }) => 1 - busy.perSecond / idlePerSecond);
  const caughtUpSeconds = over(({ busy }) => busy.caughtUpSeconds);
  bar.finish(
    `${options.rounds} rounds of ${options.seconds} s, medians; ${machine().processors}, Node ${machine().node}`,
  );
  const lines = [
    `without background work            ${over((round) => round.withoutPerSecond).toFixed(0)} purchases/s`,
    `with it, nothing configured        ${over((round) => round.idlePerSecond).toFixed(0)} purchases/s, which is ${percent(cost)} less`,
    `with all of it                     ${over(({ busy }) => busy.perSecond).toFixed(0)} purchases/s, which is ${percent(busyCost)} less; ${over(({ busy }) => busy.lagAtEnd).toFixed(0)} operations (${over(({ busy }) => busy.behindSecondsAtEnd).toFixed(1)} s) behind at the end, caught up ${caughtUpSeconds.toFixed(1)} s later`,
    `at half of what nothing configured gives  ${quantiles(({ idleMs }) => idleMs)}`,
    `the same rate, with all of it             ${quantiles(({ busyMs }) => busyMs)}: p99 ${p99Ratio.toFixed(2)} times; consumers at most ${behindSeconds.toFixed(1)} s behind`,
    `${result.deliveries} deliveries to the webhook in all`,
  ];
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ machine: machine(), options, result }, null, 2)}\n`
      : `${lines.join('\n')}\n`,
  );
  const broken = [
    cost > bounds.costMax && `background work with nothing to do costs ${percent(cost)}`,
    p99Ratio > bounds.p99RatioMax && `p99 is ${p99Ratio.toFixed(2)} times as long with all of it`,
    behindSeconds > bounds.behindSecondsMax && `consumers were ${behindSeconds.toFixed(1)} s behind`,
    caughtUpSeconds > bounds.caughtUpSecondsMax && `they caught up after ${caughtUpSeconds.toFixed(1)} s`,
  ].filter((fault) => fault !== false);
  for (const fault of broken) process.stderr.write(`${fault}\n`);
  if (broken.length > 0 && !values['no-bounds']) process.exitCode = 1;
} catch (error) {
  bar.finish(`bench: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  process.exitCode = 1;
} finally {
  await broker.remove();
  stopListening();
}

function inBounds(name: 'seconds' | 'rounds' | 'connections' | 'rewarded', min: number, max: number): number {
  const value = Number(values[name]);
  if (!(value >= min && value <= max)) throw new Error(`--${name} is from ${min} to ${max}`);
  return value;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
