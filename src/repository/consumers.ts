import type { JobRequest } from './jobs.ts';
import type { NewDelivery } from './webhook-queue.ts';

/** Where the consumers of the feed have got to: a row each, and whoever has it locked is the one that works. */
export interface ConsumerCursors {
  /** Makes sure that the consumer has a cursor. One that was never seen begins with the first operation, or after the last. */
  ensure(consumer: string, from: 'beginning' | 'end'): Promise<void>;
  /**
   * Runs one turn of a consumer, in a transaction on a connection of its own: locks the cursor, lets `work` handle what
   * comes next, and keeps all that it has set down together with the cursor's move; or, when it throws, none of it.
   * Undefined: someone else has the turn; nobody waits for it. The lock goes with the connection, so the turn of a
   * replica that died is free at once.
   */
  take<Result>(turn: TurnOptions, work: (turn: CursorTurn) => Promise<Result>): Promise<Result | undefined>;
  /** Notes what went wrong in a turn that was not kept. Does nothing while someone else has the turn. */
  noteFailure(consumer: string, failure: TurnFailure): Promise<void>;
  /** Notes that a parked operation was tried again, in vain. */
  noteRetryFailure(consumer: string, position: number, reason: string): Promise<void>;
  /** All of them, by name. */
  list(): Promise<readonly ConsumerReport[]>;
  /** What a consumer has given up on, oldest first, beginning after the position `after`. */
  parked(consumer: string, page: { after: number; limit: number }): Promise<readonly ParkedOperation[]>;
  /** Has the consumer try parked operations again: this one, or all. Answers how many. */
  retryParked(consumer: string, operation: string | null): Promise<number>;
}

export interface TurnOptions {
  readonly consumer: string;
  /** Who takes it, for those who look who works. */
  readonly owner: string;
  /** After so long the turn is cut off, here and by the server: a replica that vanished must not keep it. */
  readonly timeoutMs: number;
}

/** An operation as consumers get it. */
export interface FeedOperation {
  readonly position: number;
  readonly id: string;
  readonly type: string;
  /** The account that it belongs to, or the home of its listing. */
  readonly home: string;
  readonly atMs: number;
  /** JSON, word for word. */
  readonly receipt: string;
}

/** All that can be kept together with the cursor's move. It is sent with the commit. */
export interface Turn {
  /** Sets an operation aside: the cursor passes it, and people are told. */
  park(operation: FeedOperation, reason: string): void;
  /** Asks for jobs; of those with the same key, for the last. */
  enqueue(jobs: readonly JobRequest[]): void;
  /** Writes down what endpoints are to get; passes over those that are gone or disabled. */
  deliver(deliveries: readonly NewDelivery[]): void;
}

/** A turn with the cursor itself. */
export interface CursorTurn extends Turn {
  /** The parked operation that is to be tried again; undefined: there is none. */
  readonly retry: FeedOperation | undefined;
  readonly cursor: Cursor;
  /** Up to where the feed can be read; learnt after the cursor was locked. */
  readonly end: number;
  /** Rows that have been set down so far: parked operations, jobs and deliveries. */
  readonly gathered: number;
  /** What comes after a position, up to the end. */
  read(after: number, limit: number): Promise<readonly FeedOperation[]>;
  /** Everything up to here has been handled; the last one said holds. */
  moveTo(position: number): void;
  /** What was parked has been handled after all. */
  unpark(operation: FeedOperation): void;
}

export interface Cursor {
  readonly position: number;
  /** A page has failed: operations are handled singly up to here. */
  readonly oneByOneUntil: number;
  /** How often the next operation has failed by itself. */
  readonly attempts: number;
  readonly error: string | null;
  /** How long ago it failed; null: it has not. */
  readonly failedMsAgo: number | null;
}

export interface TurnFailure {
  /** Of the turn: what another has done meanwhile is not held against it. */
  readonly position: number;
  readonly error: string;
  readonly oneByOneUntil: number;
  readonly attempts: number;
}

/** A consumer as people see it. */
export interface ConsumerReport {
  readonly name: string;
  readonly position: number;
  /** Numbers between its position and the last one given out: operations, and a few that were given up. */
  readonly lag: number;
  /** How long ago the next operation took effect; 0: there is none. */
  readonly behindMs: number;
  readonly owner: string | null;
  readonly movedAtMs: number | null;
  /** At most 10,000 are counted. */
  readonly parked: number;
  /** Null: its last turn went well. */
  readonly error: string | null;
  readonly failedAtMs: number | null;
  /** How often the next operation has failed by itself. */
  readonly attempts: number;
}

export interface ParkedOperation {
  readonly position: number;
  readonly operation: string;
  readonly reason: string;
  readonly parkedAtMs: number;
  /** It is to be tried again. */
  readonly retry: boolean;
}
