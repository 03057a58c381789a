import type { ConsumerCursors, Cursor, FeedOperation } from '../repository/consumers.ts';
import { ConstraintError, DuplicateError, RepositoryError } from '../repository/errors.ts';
import { HeldUpError, type Consumer } from './consumer.ts';

export interface FailureSettings {
  /** How often an operation that fails by itself is tried before it is parked. */
  readonly attemptsMax: number;
  /** Wait after a failure; it doubles with each in a row. */
  readonly backoffMs: number;
  readonly backoffMsMax: number;
}

/** What a turn was about, for when it fails. */
export interface Attempt {
  cursor?: Cursor;
  /** The page that was being handled. */
  page?: readonly FeedOperation[];
  /** It was not the turn's only one: what came before it is not kept either, and may be at fault. */
  pagesBefore?: boolean;
  retry?: FeedOperation;
}

/**
 * What becomes of a consumer's turns that fail: each is noted with the cursor, so that the next, on whichever replica,
 * narrows down what is at fault. First page by page, then operation by operation, and one that fails by itself is counted.
 */
export class ConsumerFailures {
  readonly #consumer: Pick<Consumer, 'name'>;
  readonly #cursors: Pick<ConsumerCursors, 'noteFailure' | 'noteRetryFailure'>;
  readonly #settings: FailureSettings;
  readonly #log: { warn(fields: object, message: string): void };
  #inARow = 0;
  #pageByPage = false;

  constructor(deps: {
    consumer: Pick<Consumer, 'name'>;
    cursors: Pick<ConsumerCursors, 'noteFailure' | 'noteRetryFailure'>;
    settings: FailureSettings;
    log: { warn(fields: object, message: string): void };
  }) {
    this.#consumer = deps.consumer;
    this.#cursors = deps.cursors;
    this.#settings = deps.settings;
    this.#log = deps.log;
  }

  /** The last turn has failed. */
  get any(): boolean {
    return this.#inARow > 0;
  }

  /** A turn of several pages has failed: each has one, until the page that fails is the only one, or the end is reached. */
  get pageByPage(): boolean {
    return this.#pageByPage;
  }

  /** The feed was handled to its end. */
  reachedEnd(): void {
    this.#pageByPage = false;
  }

  /** How long to rest after so many failures in a row; by default, those of the turns here. */
  backoffMs(failures = this.#inARow): number {
    return Math.min(this.#settings.backoffMsMax, this.#settings.backoffMs * 2 ** (failures - 1));
  }

  /** When an operation that has failed may be tried again: it rests for longer each time, whichever replica tries it. */
  dueInMs({ attempts, failedMsAgo }: Cursor): number {
    if (attempts === 0 || failedMsAgo === null || attempts >= this.#settings.attemptsMax) return 0;
    return this.backoffMs(attempts) - failedMsAgo;
  }

  /** Runs a turn. One that fails is noted, logged, and not thrown. */
  async watch<Outcome>(
    turn: (attempt: Attempt) => Promise<Outcome>,
    aborted: AbortSignal,
  ): Promise<Outcome | { readonly kind: 'failed' }> {
    const attempt: Attempt = {};
    try {
      const outcome = await turn(attempt);
      this.#inARow = 0;
      return outcome;
    } catch (error) {
      this.#inARow += 1;
      // Cut off by the stop of this replica: no fault of the operations.
      if (aborted.aborted) return { kind: 'failed' };
      const consumer = this.#consumer.name;
      this.#log.warn({ consumer, err: error, failures: this.#inARow }, 'a turn of a consumer failed');
      await this.#note(attempt, error).catch((notNoted: unknown) => {
        this.#log.warn({ consumer, err: notNoted }, 'a failure could not be noted');
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
}

/** Whether no operation is at fault. A constraint that fires will do so again: that is what was set down for an operation. */
export function isHeldUp(error: unknown): boolean {
  if (error instanceof ConstraintError || error instanceof DuplicateError) return false;
  return error instanceof HeldUpError || error instanceof RepositoryError;
}

/** For people: what is kept with the cursor has a bound. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.slice(0, 500);
}
