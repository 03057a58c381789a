import { Readable } from 'node:stream';
import { Type, type Static } from 'typebox';
import { FeedPages } from '../../feed/feed-pages.ts';
import { Follower } from '../../feed/follower.ts';
import type { FeedTail } from '../../feed/tail.ts';
import type { Authenticate } from '../../identity/caller.ts';
import type { Reads } from '../../repository/repository.ts';
import { access, callerOf, isStillAdmitted } from '../access.ts';
import { answers } from '../answers.ts';
import { decodeCursor } from '../cursor.ts';
import { cutWhenStalled, eventStream } from '../event-stream.ts';
import type { OpenConnections } from '../open-connections.ts';
import { Problem } from '../problem.ts';
import { StandingAdmission } from '../standing-admission.ts';
import type { TypedApp } from '../typed-app.ts';

export interface StreamSettings {
  /** A comment is sent when it was quiet for so long, and whoever follows is checked again. */
  readonly heartbeatMs: number;
  /** A follower that takes nothing for so long is cut; one whose feed can't be read for so long is let go of. */
  readonly stallMs: number;
}

/** Runs until what it is given resolves, and tells it of the stop. False: as many run as may, or it is stopping. */
export type StartStream = (
  name: string,
  work: (signals: { readonly stopping: AbortSignal; readonly aborted: AbortSignal }) => Promise<void>,
) => boolean;

export interface StreamDeps {
  readonly reads: Pick<Reads, 'feed' | 'feedEnd'>;
  readonly tail: Pick<FeedTail, 'beyond'>;
  readonly startStream: StartStream;
  readonly authenticate: Authenticate;
  readonly openConnections: OpenConnections;
}

/** How long a follower may take for what is left when the replica stops: it loses nothing by being cut. */
const lastMsMax = 5000;
/** Read ahead of the connection: about one piece. */
const readAheadBytes = 1024;

const head = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  // nginx would gather what it is given.
  'x-accel-buffering': 'no',
  // When a stream has ended, its connection has: it is not waited for on the way down, and gives nothing away.
  connection: 'close',
};

const FollowHeaders = Type.Object({
  'last-event-id': Type.Optional(
    Type.String({
      maxLength: 512,
      description: 'The `id` of the last event that was seen. Wins over `after`.',
    }),
  ),
});
const FollowQuery = Type.Object(
  {
    after: Type.Optional(
      Type.String({
        maxLength: 512,
        description:
          'The `nextCursor` of a page of the feed, or the `id` of an event; none: from the beginning.',
      }),
    ),
  },
  { additionalProperties: false },
);
type FollowHeaders = Static<typeof FollowHeaders>;
type FollowQuery = Static<typeof FollowQuery>;

const response: ReturnType<typeof answers> = {
  ...answers({}, ['invalid_cursor', 'overloaded']),
  200: { description: 'Events, without end.', content: { 'text/event-stream': { schema: Type.String() } } },
};

const schema = {
  tags: ['Operations'],
  summary: 'The feed of all operations, as it grows',
  description: `Server-sent events, in the order in which the operations took effect, no gaps, nothing twice. \`id\` is a cursor, \`event\` is \`operation\`, \`data\` the receipt, word for word. A comment comes when it has been quiet for FEED_STREAM_HEARTBEAT.

When the stream ends, as it does when the replica stops or the credential is not valid any more, ask again with the last \`id\` as \`Last-Event-ID\`: any replica goes on from there, and nothing is missed or doubled. A follower that takes nothing for FEED_STREAM_STALL_TIMEOUT is cut off. One beyond FEED_STREAMS_MAX is \`overloaded\`.`,
  headers: FollowHeaders,
  querystring: FollowQuery,
  response,
};

/** Following the feed without asking again. */
export function operationStreamRoutes(app: TypedApp, deps: StreamDeps, settings: StreamSettings): void {
  const { tail, authenticate, startStream, openConnections } = deps;
  const { heartbeatMs, stallMs } = settings;
  const pages = new FeedPages(deps.reads);
  app.get(
    '/v1/operations/stream',
    { config: { access: access.readers }, compress: false, schema },
    async (request, reply) => {
      const [after] = decodeCursor(cursorOf(request), 'feed', ['number']) ?? [0];
      reply.headers(head);
      if (request.method === 'HEAD') return await reply.send(Readable.from([]));

      const response = reply.raw;
      const cut = (): void => {
        response.destroy();
      };
      const follower = new Follower(after, { pages, tail, settings: { heartbeatMs, giveUpMs: stallMs } });
      const free = takeSlot(startStream, `stream to ${callerOf(request).actor}`, { follower, cut });
      response.once('close', () => {
        follower.leave();
        free();
      });
      try {
        await follower.begin();
      } catch (error) {
        free();
        throw error;
      }
      const admission = new StandingAdmission({
        isAdmitted: async () => await isStillAdmitted(authenticate, request),
        everyMs: heartbeatMs,
        giveUpMs: stallMs,
      });
      const onUnreadable = (error: unknown): void => {
        request.log.warn({ err: error }, 'the feed can’t be read: a follower is let go of');
      };
      const events = cutWhenStalled(eventStream({ follower, admission, onUnreadable }), { stallMs, cut });
      openConnections.leaveOut(request.raw.socket);
      return await reply.send(Readable.from(events, { objectMode: false, highWaterMark: readAheadBytes }));
    },
  );
}

/** What a browser, or any other follower, has seen last wins over where it once began. An empty header names nothing. */
function cursorOf({ headers, query }: { headers: FollowHeaders; query: FollowQuery }): string | undefined {
  const last = headers['last-event-id'];
  return last === undefined || last === '' ? query.after : last;
}

/** Counts the follower among those of this replica until it is freed, and tells it of a stop. */
function takeSlot(
  startStream: StartStream,
  name: string,
  { follower, cut }: { follower: Follower; cut: () => void },
): () => void {
  const freed = Promise.withResolvers<undefined>();
  const started = startStream(name, async ({ stopping, aborted }) => {
    const over = new AbortController();
    const options = { once: true, signal: over.signal };
    let timer: NodeJS.Timeout | undefined;
    stopping.addEventListener(
      'abort',
      () => {
        follower.finish();
        timer = setTimeout(cut, lastMsMax);
      },
      options,
    );
    aborted.addEventListener('abort', cut, options);
    await freed.promise;
    over.abort();
    clearTimeout(timer);
  });
  if (!started) throw new Problem('overloaded', { detail: 'as many follow the feed on this replica as may' });
  return () => {
    freed.resolve(undefined);
  };
}
