import { setImmediate as turn } from 'node:timers/promises';
import type { Executor } from '../../src/execution/executor.ts';
import { ConflictError, DuplicateError } from '../../src/repository/errors.ts';
import type { Locks } from '../../src/repository/memory/lock-table.ts';
import { MemoryDatabase } from '../../src/repository/memory/memory-database.ts';
import { MemoryRepository } from '../../src/repository/memory/memory-repository.ts';
import { startExecutor } from './executors.ts';
import { FaultyRepository, type Fault } from './faulty-repository.ts';
import { Gate } from './gate.ts';

/** What goes wrong with a transaction, by name; see `Fault`. */
export const troubles = [
  'none',
  'conflict',
  'duplicate',
  'unavailable',
  'commit lost',
  'commit kept',
  'commit late',
] as const;
export type Trouble = (typeof troubles)[number];

/** Replicas on one database in memory, whose transactions linger and break until they are healed. */
export interface BreakingReplicas {
  /** Without faults, to set up and to look at. */
  readonly repository: MemoryRepository;
  readonly executors: readonly Executor[];
  /** Begins to break things. */
  breakDown(): void;
  /** From now on nothing breaks, nobody lingers; resolves when what was under way has ended. */
  heal(): Promise<void>;
}

export function breakingReplicas(plan: {
  replicas: number;
  batchMax: number;
  /** For how many turns of the event loop each step of a transaction lingers. */
  turns: Iterator<number>;
  /** What goes wrong with each transaction. */
  troubles: Iterator<Trouble>;
  locks?: Locks | undefined;
}): BreakingReplicas {
  let broken = false;
  const pause = async (): Promise<void> => {
    if (broken) await linger(next(plan.turns));
  };
  const locks = plan.locks === undefined ? {} : { locks: plan.locks };
  const database = new MemoryDatabase({ pause, ...locks });
  const faulty = Array.from(
    { length: plan.replicas },
    () =>
      new FaultyRepository({
        repository: new MemoryRepository({ database }),
        nextFault: () => (broken ? faultOf(next(plan.troubles)) : undefined),
      }),
  );
  // So few retries that now and then they do not suffice.
  const settings = { batchMax: plan.batchMax, backoff: { retries: 2, baseMs: 1, maxMs: 1 } };
  return {
    repository: new MemoryRepository({ database }),
    executors: faulty.map((repository) => startExecutor(repository, settings).executor),
    breakDown: () => {
      broken = true;
    },
    heal: async () => {
      broken = false;
      await Promise.all(faulty.map((repository) => repository.settled()));
    },
  };
}

export async function linger(turns: number): Promise<void> {
  for (let lingered = 0; lingered < turns; lingered += 1) await turn();
}

function next<Value>(values: Iterator<Value>): Value {
  const result = values.next();
  if (result.done === true) throw new Error('the plan has come to its end');
  return result.value;
}

function faultOf(trouble: Trouble): Fault | undefined {
  switch (trouble) {
    case 'none':
      return undefined;
    case 'conflict':
      return { kind: 'fails', error: new ConflictError('a fault: deadlock') };
    case 'duplicate':
      return { kind: 'fails', error: new DuplicateError('a fault: unique') };
    case 'commit late': {
      const gate = new Gate();
      openLater(gate, 8);
      return { kind: 'commit late', gate };
    }
    case 'unavailable':
    case 'commit lost':
    case 'commit kept':
      return { kind: trouble };
  }
}

function openLater(gate: Gate, turns: number): void {
  if (turns === 0) gate.open();
  else setImmediate(() => openLater(gate, turns - 1));
}
