/**
 * Preloaded into a process that is told to stop. Keeps account of what is opened in it; when the process lets go of its
 * parent, which is the last that `holdfast serve` does, tells what is still open and stands still until the parent has
 * looked at it from outside. Then it tells how it ends.
 */
import { createHook } from 'node:async_hooks';
import { readSync, writeSync } from 'node:fs';

/** The pipe that the parent of an observed process gives it: it goes both ways. */
const parentFd = 4;

/** Everything that can wait for something, whether it would keep the process alive or not. */
const kinds: ReadonlySet<string> = new Set([
  'Timeout',
  'TCPWRAP',
  'TCPSERVERWRAP',
  'PIPEWRAP',
  'PIPESERVERWRAP',
  'PROCESSWRAP',
  'UDPWRAP',
  'FSEVENTWRAP',
  'STATWATCHER',
  'WORKER',
]);

/** What was told to close takes a moment until it is closed, and Node keeps the Date of its answers for a second. */
const closingMs = 1500;
/** Deep enough to show who has had something opened, beneath all that Node does for it. */
Error.stackTraceLimit = 40;

interface Opened {
  readonly kind: string;
  readonly where: string;
}

const open = new Map<number, Opened>();

createHook({
  init(id, kind) {
    if (kinds.has(kind)) open.set(id, { kind, where: new Error().stack ?? '' });
  },
  destroy(id) {
    open.delete(id);
  },
}).enable();

process.once('disconnect', () => {
  const atMs = performance.now() + closingMs;
  const look = (): void => {
    if (performance.now() < atMs) {
      setImmediate(look);
      return;
    }
    const left = [...open.values()].map(({ kind, where }) => `${kind} ${origin(where)}`);
    tell({ left, active: process.getActiveResourcesInfo() });
    standStill();
  };
  look();
});

process.once('beforeExit', () => {
  tell({ end: 'nothing was left to wait for' });
});

/** The first line of ours, or of a library: what Node does inside helps nobody. */
function origin(stack: string): string {
  const lines = stack.split('\n').slice(2);
  return (lines.find((line) => !line.includes('node:')) ?? lines.at(-1) ?? '').trim();
}

function tell(report: object): void {
  writeSync(parentFd, `${JSON.stringify(report)}\n`);
}

/** No loop, no timer: the process does nothing at all until there is something to read, or nothing ever will be. */
function standStill(): void {
  readSync(parentFd, Buffer.alloc(1));
}
