import { Type, type Static, type TProperties } from 'typebox';
import { Nullable } from '../schemas.ts';
import type { TypedApp } from '../typed-app.ts';

const ComponentStatus = Type.Enum(['ok', 'failing']);
const Count = (description: string) => Type.Integer({ minimum: 0, description });

const Component = <Properties extends TProperties>(description: string, figures: Properties) =>
  Type.Object({ status: ComponentStatus, ...figures }, { description });

const Pool = Type.Object({
  open: Count('Connections that are open.'),
  inUse: Count('Of them, those in use.'),
  waiting: Count('Those who wait for one. More than a moment above 0: there are too few.'),
  max: Count('Connections that there may be.'),
});

const Database = Component('The database, asked just now.', {
  reason: Nullable(Type.String({ description: 'What is wrong with it.' })),
  latencyMs: Type.Number({ description: 'How long its answer took, the wait for a connection included.' }),
  transactions: Pool,
  reads: Pool,
  background: Pool,
});

const Lanes = Component('Operations waiting or under way. `failing`: as many as may be; more are refused.', {
  lanes: Count('Batches that can be under way at once.'),
  inFlight: Count('Operations waiting or under way.'),
  inFlightMax: Count('Operations that may be.'),
  queued: Count('Of those in flight, how many wait for their lane’s next batch.'),
  waitingAlone: Count('Of those in flight, how many wait alone for a locked account.'),
});

const Work = (description: string) =>
  Type.Object({ running: Count('How many run.'), runningMax: Count('How many may run.') }, { description });

const BackgroundTasks = Component(
  'Work of this replica that no request waits for. `failing`: as many chores as may run; more are refused.',
  {
    jobs: Work('What takes jobs and runs them.'),
    consumers: Work('What follows the feed.'),
    streams: Work('Followers that this replica sends the feed to.'),
    chores: Work('The rest.'),
  },
);

const Consumers = Component(
  'The consumers of the feed, of all replicas together. `failing`: they can’t be looked at.',
  {
    each: Type.Array(
      Type.Object({
        name: Type.String(),
        position: Count('How far it has got.'),
        lag: Count('About how many operations it has still to handle.'),
        behindSeconds: Type.Number({ description: 'How long ago the next of them took effect.' }),
        parked: Count('Operations that it has given up on; `holdfast consumers parked` says why.'),
        heldUp: Type.Boolean({ description: 'Its last turn failed; `holdfast consumers` says why.' }),
      }),
    ),
  },
);

const Jobs = Component('The jobs of all replicas together. `failing`: they can’t be looked at.', {
  waiting: Count('For their time, or for a replica that takes them; at most 10000 are counted.'),
  running: Count('Those under way.'),
  failed: Count('Those that failed at every attempt; they are kept for a while, to be looked at.'),
});

const Catalog = Component('This replica’s copy of the catalog.', {
  version: Nullable(Type.Integer({ description: 'Behind the database’s until the next operation asks.' })),
});

const Relay = Component(
  'The connection to the message broker, where operations are relayed to one. `failing`: they wait.',
  { reason: Nullable(Type.Enum(['not connected', 'stream unfit'], { description: 'What is wrong.' })) },
);

const Health = Type.Object({
  status: Type.Enum(['ok', 'failing', 'stopping'], {
    description: '`failing`: a component is. `stopping`: this replica is on its way down.',
  }),
  version: Type.String({
    description: 'Of Holdfast, as in `holdfast --version` and in each line of the log.',
  }),
  uptimeSeconds: Type.Number(),
  components: Type.Object({
    database: Database,
    lanes: Lanes,
    backgroundTasks: BackgroundTasks,
    consumers: Consumers,
    jobs: Jobs,
    catalog: Catalog,
    relay: Type.Optional(Relay),
  }),
});

/** What a replica says of its parts. */
export type Health = Static<typeof Health>;

/**
 * For people and dashboards. Anyone may ask, so it has figures and fixed texts only: no address, no name of the
 * database, no message of an error.
 */
export function healthRoutes(app: TypedApp, { health }: { health: () => Promise<Health> }): void {
  app.get(
    '/health',
    {
      config: { access: 'public' },
      schema: {
        tags: ['Operating'],
        summary: 'How each part of this replica is',
        description:
          '503 unless all is well. Load balancers should ask `/readyz`: a replica that is full for a moment is `failing` here, and taking it away would only fill the others.',
        response: { 200: Health, 503: Health },
      },
    },
    async (_request, reply) => {
      const report = await health();
      return await reply
        .code(report.status === 'ok' ? 200 : 503)
        .header('cache-control', 'no-store')
        .send(report);
    },
  );
}
