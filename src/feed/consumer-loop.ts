import type { ConsumerCursors, CursorTurn } from '../repository/consumers.ts';
import type { Consumer, Handle } from './consumer.ts';
import { ConsumerFailures, isHeldUp, type Attempt, type FailureSettings } from './consumer-failures.ts';
import type { Pacer, Piece, PieceOptions } from './pacer.ts';
import { sleepUntil } from './sleep-until.ts';
import type { FeedTail } from './tail.ts';

export interface ConsumerSettings extends FailureSettings {
  /** Operations handled at once, at most. */
  readonly pageRows: number;
  /**
   * How long operations gather for a turn, which spreads its pages over most of that: a turn costs much the same, however many it
   * handles, and a page at a time is hardly felt. One that is behind ends its turn after so long.
   */
  readonly turnMs: number;
  /** How long a turn may take before it is cut off. */
  readonly turnTimeoutMs: number;
  /** How long a replica that found someone else at work, or nothing to do, waits before it looks again by itself. */
  readonly lookAgainMs: number;
}

export interface ConsumerLog {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** How a loop is told to end: after the page that it is at; at once, and nothing of the turn is kept. */
interface Signals {
  readonly stopping: AbortSignal;
  readonly aborted: AbortSignal;
}

/** A turn as it is worked. */
interface Work extends Signals {
  readonly attempt: Attempt;
  /** Of background work: the turn begins with it, and it ends with the first page. */
  readonly piece: Piece;
}

/** What became of a turn. */
type Outcome =
  | { readonly kind: 'worked'; readonly more: boolean }
  /** Nothing lies after this position. */
  | { readonly kind: 'idle'; readonly position: number }
  | { readonly kind: 'unwanted' }
  /** An operation has failed, and is not to be tried again yet. */
  | { readonly kind: 'waiting'; readonly ms: number }
  | { readonly kind: 'failed' };

/**
 * Works one consumer on one replica, turn by turn. Every replica runs one; the cursor's lock sees to it that one works
 * at a time, and whoever comes next takes over: all that is known of the work is in the database.
 */
export class ConsumerLoop {
  readonly #consumer: Consumer;
  readonly #cursors: ConsumerCursors;
  readonly #tail: FeedTail;
  readonly #pacer: Pacer;
  readonly #owner: string;
  readonly #settings: ConsumerSettings;
  readonly #log: ConsumerLog;
  readonly #failures: ConsumerFailures;
  /** Whether the last turn was about a parked operation. */
  #retried = false;
  /** Until when it had nothing left to do, or another replica had the turn. */
  #inTimeAtMs = performance.now();

  constructor(deps: {
    consumer: Consumer;
    cursors: ConsumerCursors;
    tail: FeedTail;
    pacer: Pacer;
    /** This replica, for those who look who works. */
    owner: string;
    settings: ConsumerSettings;
    log: ConsumerLog;
  }) {
    this.#consumer = deps.consumer;
    this.#cursors = deps.cursors;
    this.#tail = deps.tail;
    this.#pacer = deps.pacer;
    this.#owner = deps.owner;
    this.#settings = deps.settings;
    this.#log = deps.log;
    this.#failures = new ConsumerFailures(deps);
  }

  /** Works until `stopping` aborts, and keeps the turn that is under way; unless `aborted` does, which drops it. */
  async run({ stopping, aborted }: Signals): Promise<void> {
    let ensured = false;
    while (!stopping.aborted) {
      const beganMs = performance.now();
      const piece = await this.#pacer.begin(this.#pieceOptions(stopping));
      const outcome = await this.#failures
        .watch(async (attempt) => {
          if (stopping.aborted) return undefined;
          if (!ensured) await this.#cursors.ensure(this.#consumer.name, this.#consumer.from);
          ensured = true;
          return await this.#turn({ attempt, piece, stopping, aborted });
        }, aborted)
        .finally(piece.end);
      await this.#pause(outcome, performance.now() - beganMs, stopping);
      if (isInTime(outcome)) this.#inTimeAtMs = performance.now();
    }
  }

  /** Undefined: someone else has the turn. */
  async #turn(work: Work): Promise<Outcome | undefined> {
    const { turnTimeoutMs } = this.#settings;
    const options = { consumer: this.#consumer.name, owner: this.#owner, timeoutMs: turnTimeoutMs };
    const late = new AbortController();
    const timer = setTimeout(() => {
      late.abort(new Error(`the turn took longer than ${turnTimeoutMs} ms`));
    }, turnTimeoutMs);
    try {
      const aborted = AbortSignal.any([work.aborted, late.signal]);
      return await this.#cursors.take(options, async (turn) => await this.#work(turn, { ...work, aborted }));
    } catch (error) {
      // Troubles of the surroundings are told as such, however long they took.
      throw late.signal.aborted && !isHeldUp(error) ? late.signal.reason : error;
    } finally {
      clearTimeout(timer);
    }
  }

  async #work(turn: CursorTurn, work: Work): Promise<Outcome> {
    const { cursor, end, retry } = turn;
    const { position } = cursor;
    const { attempt, aborted } = work;
    attempt.cursor = cursor;
    if (retry === undefined && end <= position) return { kind: 'idle', position };
    const handle = await this.#consumer.prepare();
    // In turns with what is new: however much is to be tried again, nobody waits for all of it. What a failed turn was about
    // comes first: a broker may have it already, and an operation from long ago must not get in between.
    this.#retried = retry !== undefined && (end <= position || (!this.#retried && !this.#failures.any));
    if (retry !== undefined && this.#retried) {
      attempt.retry = retry;
      turn.unpark(retry);
      await handle?.([retry], turn, { outOfOrder: true, signal: aborted, giveWay: work.piece.end });
      return { kind: 'worked', more: true };
    }
    if (handle === null) {
      turn.moveTo(end);
      return { kind: 'unwanted' };
    }
    const waitMs = this.#failures.dueInMs(cursor);
    if (waitMs > 0) return { kind: 'waiting', ms: waitMs };
    if (cursor.attempts >= this.#settings.attemptsMax) return await this.#giveUp(turn);
    return await this.#handlePages(handle, turn, work);
  }

  /** Page by page, up to the end as it was when the turn began, or for as long as a turn may be. */
  async #handlePages(handle: Handle, turn: CursorTurn, work: Work): Promise<Outcome> {
    const { cursor, end } = turn;
    const { attempt, stopping, aborted } = work;
    const { turnMs, pageRows } = this.#settings;
    const endsAtMs = performance.now() + turnMs;
    // The last ones have to be in time also when some before them were not.
    const pageMs = (turnMs * spread) / Math.ceil((end - cursor.position) / pageRows);
    let nextAtMs = performance.now();
    let reached = cursor.position;
    let piece: Piece | undefined = work.piece;
    do {
      attempt.pagesBefore = reached > cursor.position;
      const oneByOne = reached < cursor.oneByOneUntil;
      const limit = oneByOne ? 1 : pageRows;
      try {
        aborted.throwIfAborted();
        const page = await turn.read(reached, limit);
        attempt.page = page;
        if (page.length > 0)
          await handle(page, turn, { outOfOrder: false, signal: aborted, giveWay: piece.end });
        aborted.throwIfAborted();
        const last = page.at(-1);
        // Numbers that were given up leave gaps: at the end of the feed the cursor is as far as the feed is.
        reached = last !== undefined && page.length === limit ? last.position : end;
        turn.moveTo(reached);
      } finally {
        piece.end();
      }
      if (reached >= end) this.#failures.reachedEnd();
      if (reached >= end || oneByOne || this.#failures.pageByPage || turn.gathered >= gatheredMax) break;
      nextAtMs += pageMs;
      if (Math.max(nextAtMs, performance.now()) > endsAtMs) break;
      await sleepUntil(null, { ms: nextAtMs - performance.now(), signal: stopping });
      // A turn that waited for others to have theirs would keep its cursor meanwhile.
      piece = await this.#pacer.beginWithin(endsAtMs - performance.now(), this.#pieceOptions(stopping));
      if (stopping.aborted) piece?.end();
    } while (piece !== undefined && !stopping.aborted);
    return { kind: 'worked', more: reached < end };
  }

  async #giveUp(turn: CursorTurn): Promise<Outcome> {
    const [first] = await turn.read(turn.cursor.position, 1);
    if (first === undefined) turn.moveTo(turn.end);
    else {
      const { attempts, error } = turn.cursor;
      turn.park(first, error ?? 'it failed');
      turn.moveTo(first.position);
      this.#log.error(
        { consumer: this.#consumer.name, operation: first.id, attempts, reason: error },
        'a consumer gave up on an operation and parked it; see `holdfast consumers`',
      );
    }
    return { kind: 'worked', more: true };
  }

  #pieceOptions(signal: AbortSignal): PieceOptions {
    return { lateMs: performance.now() - this.#inTimeAtMs, signal };
  }

  async #pause(outcome: Outcome | undefined, tookMs: number, stopping: AbortSignal): Promise<void> {
    const { lookAgainMs } = this.#settings;
    if (outcome?.kind === 'idle')
      await this.#tail.beyondWithin(outcome.position, { ms: lookAgainMs, signal: stopping });
    else await sleepUntil(null, { ms: this.#pauseMs(outcome, tookMs), signal: stopping });
  }

  #pauseMs(outcome: Exclude<Outcome, { kind: 'idle' }> | undefined, tookMs: number): number {
    const { lookAgainMs, turnMs } = this.#settings;
    switch (outcome?.kind) {
      case undefined:
      case 'unwanted':
        return lookAgainMs;
      case 'worked':
        return outcome.more ? 0 : turnMs - tookMs;
      case 'waiting':
        return outcome.ms;
      case 'failed':
        return this.#failures.backoffMs();
    }
  }
}

/** Whether nothing is left behind that this replica should have done. */
function isInTime(outcome: Outcome | undefined): boolean {
  if (outcome === undefined || outcome.kind === 'idle' || outcome.kind === 'unwanted') return true;
  return outcome.kind === 'worked' && !outcome.more;
}

/** The part of a turn that its pages are spread over. */
const spread = 0.75;

/** Rows that a turn sets down at most, and those of one page more: they are sent in one go, and the server has a time for them. */
const gatheredMax = 5000;
