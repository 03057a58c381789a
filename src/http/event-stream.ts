import type { Follower } from '../feed/follower.ts';
import type { FeedItem } from '../repository/repository.ts';
import { encodeCursor } from './cursor.ts';
import type { StandingAdmission } from './standing-admission.ts';

/** Events are sent in pieces of about this size, or fewer bytes when there are no more: what a slow follower takes at once. */
const pieceLength = 16 * 1024;
/** When a follower may come back: not all at the same moment. */
const retryMs = { min: 500, max: 2000 };

/**
 * The feed as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): `id` is the cursor,
 * `data` the receipt, word for word; a comment where it is quiet. Ends when the follower's pages do, or when whoever
 * follows is not let in any more. Always between two events.
 */
export async function* eventStream({
  follower,
  admission,
  onUnreadable,
}: {
  follower: Pick<Follower, 'pages'>;
  admission: Pick<StandingAdmission, 'holds'>;
  onUnreadable: (error: unknown) => void;
}): AsyncGenerator<string, void, void> {
  // At once: the head of the answer goes out with it.
  yield retryHint();
  try {
    for await (const items of follower.pages()) {
      for (const piece of items.length === 0 ? [': quiet\n\n'] : pieces(items)) {
        if (!(await admission.holds())) {
          yield ': this credential is not valid any more\n\n';
          return;
        }
        yield piece;
      }
    }
  } catch (error) {
    onUnreadable(error);
  }
  yield `: go on elsewhere, from the last id\n${retryHint()}`;
}

/** A receipt is JSON as `JSON.stringify` makes it: one line. */
function* pieces(items: readonly FeedItem[]): Generator<string> {
  let piece = '';
  for (const { position, receipt } of items) {
    piece += `id: ${encodeCursor('feed', position)}\nevent: operation\ndata: ${receipt}\n\n`;
    if (piece.length < pieceLength) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

function retryHint(): string {
  return `retry: ${retryMs.min + Math.floor(Math.random() * (retryMs.max - retryMs.min))}\n\n`;
}

/** Passes on what is taken, and calls `cut` when for so long nothing is. */
export async function* cutWhenStalled(
  pieces: AsyncIterable<string>,
  { stallMs, cut }: { stallMs: number; cut: () => void },
): AsyncGenerator<string, void, void> {
  for await (const piece of pieces) {
    const timer = setTimeout(cut, stallMs);
    try {
      yield piece;
    } finally {
      clearTimeout(timer);
    }
  }
}
