import type { CatalogCache } from '../execution/catalog-cache.ts';
import type { Executor } from '../execution/executor.ts';
import type { Health } from '../http/routes/health.ts';
import type { PostgresRepository } from '../repository/postgres/repository.ts';
import type { BackgroundTasks } from './background-tasks.ts';
import type { DatabaseProbe } from './database-probe.ts';

/** Asks every part of a replica how it is; in bounded time. */
export async function healthOf({
  version,
  probe,
  repository,
  executor,
  catalog,
  tasks,
  stopping,
}: {
  version: string;
  probe: DatabaseProbe;
  repository: Pick<PostgresRepository, 'connections'>;
  executor: Pick<Executor, 'load'>;
  catalog: Pick<CatalogCache, 'version'>;
  tasks: Pick<BackgroundTasks, 'load'>;
  stopping: () => boolean;
}): Promise<Health> {
  const { trouble, latencyMs } = await probe.check();
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
    catalog: { status: 'ok', version: catalog.version },
  };
  const well = Object.values(components).every(({ status }) => status === 'ok');
  return {
    status: stopping() ? 'stopping' : statusOf(well),
    version,
    uptimeSeconds: Math.floor(process.uptime()),
    components,
  };
}

function statusOf(well: boolean): 'ok' | 'failing' {
  return well ? 'ok' : 'failing';
}
