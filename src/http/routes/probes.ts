import { Type } from 'typebox';
import type { TypedApp } from '../typed-app.ts';

/** Whether this replica should be sent requests. */
export interface Readiness {
  /** Whether it is on its way down. */
  stopping(): boolean;
  /** Resolves to null when it is ready, to the reason when it is not; in bounded time. */
  notReadyBecause(): Promise<string | null>;
}

const Status = Type.Object({ status: Type.String() });
const NotReady = Type.Object({ status: Type.String(), reason: Type.String() });

/** What an orchestrator asks a replica, every few seconds. Unready is an answer, not an error. */
export function probeRoutes(app: TypedApp, { readiness }: { readiness: Readiness }): void {
  app.get(
    '/livez',
    {
      config: { access: 'public' },
      schema: { tags: ['Operating'], summary: 'The process answers', response: { 200: Status } },
    },
    () => ({ status: 'ok' }),
  );

  app.get(
    '/readyz',
    {
      config: { access: 'public' },
      schema: {
        tags: ['Operating'],
        summary: 'This replica should be sent requests',
        description: '503 while it starts, while it stops, and while the database does not answer.',
        response: { 200: Status, 503: NotReady },
      },
    },
    async (_request, reply) => {
      const reason = await readiness.notReadyBecause();
      if (reason === null) return { status: 'ready' };
      return await reply.code(503).header('retry-after', '1').send({ status: 'not ready', reason });
    },
  );

  app.get(
    '/startupz',
    {
      config: { access: 'public' },
      schema: {
        tags: ['Operating'],
        summary: 'This replica has started',
        description:
          'Nothing listens before that: until then a probe finds no connection. From then on 200, also while it stops, so that a start-up probe never restarts a replica that had started.',
        response: { 200: Status },
      },
    },
    () => ({ status: 'started' }),
  );
}
