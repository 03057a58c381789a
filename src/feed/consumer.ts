import type { FeedOperation, Turn } from '../repository/consumers.ts';

/**
 * Something that has to be done about each operation, once it is committed: at any time, on any replica, by one at a
 * time. What a turn sets down is kept exactly once; what it does elsewhere may be done again, when the turn is lost after it.
 */
export interface Consumer {
  /** Of its cursor. It never changes: under another name everything would be done anew. */
  readonly name: string;
  /** Where one that was never seen begins. */
  readonly from: 'beginning' | 'end';
  /**
   * What to do in a turn, by what is configured; null: nothing, all that can be read at this moment is passed over unread.
   * It is asked once a turn, after it is known what can be read, so what is configured from now on is about later
   * operations.
   */
  prepare(): Promise<Handle | null>;
}

/**
 * Handles a page of operations, in the order of the feed; a turn may have several. Throws, or is still at it when the
 * signal aborts: nothing of the turn is kept, and it is tried again, then operation by operation; one that still fails is
 * parked.
 */
export type Handle = (operations: readonly FeedOperation[], turn: Turn, page: PageWork) => Promise<void>;

export interface PageWork {
  /** It is a parked operation that is tried again; otherwise what follows the cursor. */
  readonly outOfOrder: boolean;
  readonly signal: AbortSignal;
  /** All that is left is to wait for others: the next piece of background work may begin. */
  readonly giveWay: () => void;
}

/**
 * The surroundings are at fault and not an operation: a broker is away, the service is overloaded. The turn is tried
 * again until it succeeds, with growing pauses, and nothing is parked.
 */
export class HeldUpError extends Error {
  override name = 'HeldUpError';
}
