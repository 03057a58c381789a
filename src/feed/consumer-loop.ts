import type { ConsumerCursors, Cursor, CursorTurn, FeedOperation } from '../repository/consumers.ts';
import { ConstraintError, DuplicateError, RepositoryError } from '../repository/errors.ts';
import { HeldUpError, type Consumer, type Handle } from './consumer.ts';
import type { Pacer } from './pacer.ts';
import { sleepUntil } from './sleep-until.ts';
import type { FeedTail } from './tail.ts';

export interface ConsumerSettings {
  /** Operations handled at once, at most. */
  readonly pageRows: number;
  /**
   * How long operations gather for a turn, which spreads its pages over as long: a turn costs much the same, however many it
   * handles, and a page at a time is hardly felt. One that is behind ends its turn after so long.
   */
  readonly turnMs: number;
  /** How often an operation that fails by itself is tried before it is parked. */
  readonly attemptsMax: number;
  /** Wait after a failure; it doubles with each in a row. */
  readonly backoffMs: number;
  readonly backoffMsMax: number;
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

/** What became of a turn. */
type Outcome =
  /** Its last piece of work took so long. */
  | { readonly kind: 'worked'; readonly more: boolean; readonly workedMs: number }
  /** Nothing lies after this position. */
  | { readonly kind: 'idle'; readonly position: number }
  | { readonly kind: 'unwanted' }
  /** An operation has failed, and is not to be tried again yet. */
  | { readonly kind: 'waiting'; readonly ms: number }
  | { readonly kind: 'failed' };

/** What a turn was about, for when it fails. */
interface Attempt {
  cursor?: Cursor;
  /** The page that was being handled. */
  page?: readonly FeedOperation[];
  /** It was not the turn's only one: what came before it is not kept either, and may be at fault. */
  pagesBefore?: boolean;
  retry?: FeedOperation;
}

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
  #failures = 0;
  /** A turn of several pages has failed: each has one, until the page that fails is the only one, or the end is reached. */
  #pageByPage = false;
  /** Whether the last turn was about a parked operation. */
  #retried = false;

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
  }

  /** Works until `stopping` aborts, and keeps the turn that is under way; unless `aborted` does, which drops it. */
  async run({ stopping, aborted }: Signals): Promise<void> {
    let ensured = false;
    while (!stopping.aborted) {
      const beganMs = performance.now();
      const outcome = await this.#attempt(async (attempt) => {
        if (!ensured) await this.#cursors.ensure(this.#consumer.name, this.#consumer.from);
        ensured = true;
        return await this.#turn(attempt, { stopping, aborted });
      }, aborted);
      await this.#pause(outcome, performance.now() - beganMs, stopping);
    }
  }

  /** Undefined: someone else has the turn. */
  async #turn(attempt: Attempt, { stopping, aborted }: Signals): Promise<Outcome | undefined> {
    const { turnTimeoutMs } = this.#settings;
    const options = { consumer: this.#consumer.name, owner: this.#owner, timeoutMs: turnTimeoutMs };
    const late = new AbortController();
    const timer = setTimeout(() => {
      late.abort(new Error(`the turn took longer than ${turnTimeoutMs} ms`));
    }, turnTimeoutMs);
    try {
      const signals = { stopping, aborted: AbortSignal.any([aborted, late.signal]) };
      return await this.#cursors.take(options, async (turn) => await this.#work(turn, attempt, signals));
    } catch (error) {
      // Troubles of the surroundings are told as such, however long they took.
      throw late.signal.aborted && !isHeldUp(error) ? late.signal.reason : error;
    } finally {
      clearTimeout(timer);
    }
  }

  async #work(turn: CursorTurn, attempt: Attempt, signals: Signals): Promise<Outcome> {
    const { cursor, end, retry } = turn;
    const { position } = cursor;
    const beganMs = performance.now();
    attempt.cursor = cursor;
    if (retry === undefined && end <= position) return { kind: 'idle', position };
    const handle = await this.#consumer.prepare();
    // In turns with what is new: however much is to be tried again, nobody waits for all of it. What a failed turn was about
    // comes first: a broker may have it already, and an operation from long ago must not get in between.
    this.#retried = retry !== undefined && (end <= position || (!this.#retried && this.#failures === 0));
    if (retry !== undefined && this.#retried) {
      attempt.retry = retry;
      turn.unpark(retry);
      await handle?.([retry], turn, signals.aborted);
      return { kind: 'worked', more: true, workedMs: performance.now() - beganMs };
    }
    if (handle === null) {
      turn.moveTo(end);
      return { kind: 'unwanted' };
    }
    const waitMs = this.#dueInMs(cursor);
    if (waitMs > 0) return { kind: 'waiting', ms: waitMs };
    if (cursor.attempts >= this.#settings.attemptsMax) return await this.#giveUp(turn);
    return await this.#handlePages(handle, turn, attempt, signals);
  }

  /** Page by page, up to the end as it was when the turn began, or for as long as a turn may be. */
  async #handlePages(
    handle: Handle,
    turn: CursorTurn,
    attempt: Attempt,
    { stopping, aborted }: Signals,
  ): Promise<Outcome> {
    const { cursor, end } = turn;
    const { turnMs, pageRows } = this.#settings;
    const endsAtMs = performance.now() + turnMs;
    const pageMs = turnMs / Math.ceil((end - cursor.position) / pageRows);
    for (let reached = cursor.position; ;) {
      const beganMs = performance.now();
      attempt.pagesBefore = reached > cursor.position;
      const oneByOne = reached < cursor.oneByOneUntil;
      const limit = oneByOne ? 1 : pageRows;
      const page = await turn.read(reached, limit);
      attempt.page = page;
      if (page.length > 0) await handle(page, turn, aborted);
      aborted.throwIfAborted();
      const last = page.at(-1);
      // Numbers that were given up leave gaps: at the end of the feed the cursor is as far as the feed is.
      reached = last !== undefined && page.length === limit ? last.position : end;
      turn.moveTo(reached);
      if (reached >= end) this.#pageByPage = false;
      const workedMs = performance.now() - beganMs;
      const worked = { kind: 'worked', more: reached < end, workedMs } as const;
      if (!worked.more || oneByOne || this.#pageByPage || turn.gathered >= gatheredMax) return worked;
      const restMs = Math.max(this.#pacer.restMs(workedMs), pageMs - workedMs);
      if (performance.now() + restMs > endsAtMs) return worked;
      await sleepUntil(null, { ms: restMs, signal: stopping });
      aborted.throwIfAborted();
      if (stopping.aborted) return worked;
    }
  }

  async #giveUp(turn: CursorTurn): Promise<Outcome> {
    const [first] = await turn.read(turn.cursor.position, 1);
    if (first === undefined) turn.moveTo(turn.end);
    else this.#park(turn, first);
    return { kind: 'worked', more: true, workedMs: 0 };
  }

  #park(turn: CursorTurn, operation: FeedOperation): void {
    const { attempts, error } = turn.cursor;
    turn.park(operation, error ?? 'it failed');
    turn.moveTo(operation.position);
    this.#log.error(
      { consumer: this.#consumer.name, operation: operation.id, attempts, reason: error },
      'a consumer gave up on an operation and parked it; see `holdfast consumers`',
    );
  }

  /** An operation that has failed rests for longer each time, whichever replica tries it. */
  #dueInMs({ attempts, failedMsAgo }: Cursor): number {
    if (attempts === 0 || failedMsAgo === null || attempts >= this.#settings.attemptsMax) return 0;
    return this.#backoffMs(attempts) - failedMsAgo;
  }

  #backoffMs(failures: number): number {
    return Math.min(this.#settings.backoffMsMax, this.#settings.backoffMs * 2 ** (failures - 1));
  }

  /** Runs a turn; one that fails is noted, logged, and not thrown. */
  async #attempt(
    turn: (attempt: Attempt) => Promise<Outcome | undefined>,
    aborted: AbortSignal,
  ): Promise<Outcome | undefined> {
    const attempt: Attempt = {};
    try {
      const outcome = await turn(attempt);
      this.#failures = 0;
      return outcome;
    } catch (error) {
      this.#failures += 1;
      // Cut off by the stop of this replica: no fault of the operations.
      if (aborted.aborted) return { kind: 'failed' };
      this.#log.warn(
        { consumer: this.#consumer.name, err: error, failures: this.#failures },
        'a turn of a consumer failed',
      );
      await this.#note(attempt, error).catch((notNoted: unknown) => {
        this.#log.warn({ consumer: this.#consumer.name, err: notNoted }, 'a failure could not be noted');
      });
      return { kind: 'failed' };
    }
  }

  async #note({ cursor, page = [], pagesBefore = false, retry }: Attempt, error: unknown): Promise<void> {
    if (cursor === undefined) return;
    const { name } = this.#consumer;
    const reason = reasonOf(error);
    const held = isHeldUp(error);
    const { position, oneByOneUntil, attempts } = cursor;
    if (retry !== undefined) {
      if (!held) await this.#cursors.noteRetryFailure(name, retry.position, reason);
      return;
    }
    const [first, ...others] = page;
    const asBefore = { position, error: reason, oneByOneUntil, attempts };
    this.#pageByPage = pagesBefore;
    if (held || pagesBefore || first === undefined) await this.#cursors.noteFailure(name, asBefore);
    else if (others.length === 0)
      await this.#cursors.noteFailure(name, { ...asBefore, attempts: attempts + 1 });
    else {
      const until = others.at(-1)?.position ?? oneByOneUntil;
      await this.#cursors.noteFailure(name, { ...asBefore, oneByOneUntil: until });
    }
  }

  async #pause(outcome: Outcome | undefined, tookMs: number, stopping: AbortSignal): Promise<void> {
    const { lookAgainMs } = this.#settings;
    if (outcome?.kind === 'idle')
      await this.#tail.beyondWithin(outcome.position, { ms: lookAgainMs, signal: stopping });
    else await sleepUntil(null, { ms: this.#restMs(outcome, tookMs), signal: stopping });
  }

  #restMs(outcome: Exclude<Outcome, { kind: 'idle' }> | undefined, tookMs: number): number {
    switch (outcome?.kind) {
      case undefined:
      case 'unwanted':
        return this.#settings.lookAgainMs;
      case 'worked': {
        const restMs = this.#pacer.restMs(outcome.workedMs);
        return outcome.more ? restMs : Math.max(restMs, this.#settings.turnMs - tookMs);
      }
      case 'waiting':
        return outcome.ms;
      case 'failed':
        return this.#backoffMs(this.#failures);
    }
  }
}

/** Rows that a turn sets down at most, and those of one page more: they are sent in one go, and the server has a time for them. */
const gatheredMax = 5000;

/** Whether no operation is at fault. A constraint that fires will do so again: that is what was set down for an operation. */
function isHeldUp(error: unknown): boolean {
  if (error instanceof ConstraintError || error instanceof DuplicateError) return false;
  return error instanceof HeldUpError || error instanceof RepositoryError;
}

/** For people: what is kept with the cursor has a bound. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.slice(0, 500);
}
