import type { CatalogCache } from '../execution/catalog-cache.ts';
import type { Executor } from '../execution/executor.ts';
import type { Broker } from '../feed/relay/broker.ts';
import type { Health } from '../http/routes/health.ts';
import type { ConsumerReport } from '../repository/consumers.ts';
import type { JobFigures } from '../repository/jobs.ts';
import type { PostgresRepository } from '../repository/postgres/repository.ts';
import type { BackgroundTasks } from './background-tasks.ts';
import type { DatabaseProbe } from './database-probe.ts';
import type { SharedAnswer } from './shared-answer.ts';

/** Asks every part of a replica how it is; in bounded time. */
export async function healthOf({
  version,
  probe,
  repository,
  executor,
  catalog,
  tasks,
  consumers,
  jobs,
  relay,
  stopping,
}: {
  version: string;
  probe: DatabaseProbe;
  repository: Pick<PostgresRepository, 'connections'>;
  executor: Pick<Executor, 'load'>;
  catalog: Pick<CatalogCache, 'version'>;
  tasks: Pick<BackgroundTasks, 'load'>;
  consumers: SharedAnswer<readonly ConsumerReport[]>;
  jobs: SharedAnswer<JobFigures>;
  /** Null: this replica relays nothing. */
  relay: Pick<Broker, 'trouble'> | null;
  stopping: () => boolean;
}): Promise<Health> {
  const [{ trouble, latencyMs }, reports, jobFigures] = await Promise.all([
    probe.check(),
    consumers.get(),
    jobs.get(),
  ]);
  const { load } = executor;
  const work = tasks.load;
  const components: Health['components'] = {
    database: {
      status: statusOf(trouble === null),
      reason: trouble,
      latencyMs: Math.round(latencyMs * 10) / 10,
      ...repository.connections,
    },
    lanes: { status: statusOf(load.inFlight < load.inFlightMax), ...load },
    backgroundTasks: {
      status: statusOf(work.chores.running < work.chores.runningMax),
      ...work,
    },
    consumers: {
      status: statusOf(reports !== null),
      each: (reports ?? []).map(({ name, position, lag, behindMs, parked, error }) => ({
        name,
        position,
        lag,
        behindSeconds: Math.round(behindMs / 100) / 10,
        parked,
        heldUp: error !== null,
      })),
    },
    jobs: { status: statusOf(jobFigures !== null), ...(jobFigures ?? { waiting: 0, running: 0, failed: 0 }) },
    catalog: { status: 'ok', version: catalog.version },
    ...(relay === null ? {} : { relay: relayHealth(relay) }),
  };
  const well = Object.values(components).every(({ status }) => status === 'ok');
  return {
    status: stopping() ? 'stopping' : statusOf(well),
    version,
    uptimeSeconds: Math.floor(process.uptime()),
    components,
  };
}

function relayHealth({ trouble }: Pick<Broker, 'trouble'>): NonNullable<Health['components']['relay']> {
  return { status: statusOf(trouble === null), reason: trouble?.kind ?? null };
}

function statusOf(well: boolean): 'ok' | 'failing' {
  return well ? 'ok' : 'failing';
}
