import { LockTable, type Locks } from './lock-table.ts';
import { Positions } from './positions.ts';
import { Tables } from './tables.ts';

/** Where a transaction can be made to linger: before a call takes effect, and after its operations were numbered. */
export type Moment = 'call' | 'commit';

/** What the replicas of a service share: the tables, the locks and the clock. */
export class MemoryDatabase {
  readonly tables = new Tables();
  readonly positions = new Positions();
  readonly locks: Locks;
  readonly nowMs: () => number;
  readonly pause: (moment: Moment, replica: string) => Promise<void>;

  constructor(
    options: {
      /** The clock; ms since the epoch. Default: the machine's. */
      nowMs?: () => number;
      /** Default: real ones. */
      locks?: Locks;
      /** For tests that want transactions to interleave in an order of their own. Default: `oneTurn`. */
      pause?: (moment: Moment, replica: string) => Promise<void>;
    } = {},
  ) {
    this.nowMs = options.nowMs ?? Date.now;
    this.locks = options.locks ?? new LockTable();
    this.pause = options.pause ?? oneTurn;
  }
}

/** A turn of the event loop, as the way to a database takes at least: so transactions do interleave. */
export async function oneTurn(): Promise<void> {
  await new Promise(setImmediate);
}
