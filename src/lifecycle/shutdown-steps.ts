import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/settings.ts';
import type { Executor } from '../execution/executor.ts';
import type { OpenConnections } from '../http/open-connections.ts';
import { stopListening } from '../http/stop-listening.ts';
import type { TypedApp } from '../http/typed-app.ts';
import type { PostgresRepository } from '../repository/postgres/repository.ts';
import type { Verifications } from '../verification/verifications.ts';
import { taskKinds, type BackgroundTasks, type TaskKind } from './background-tasks.ts';
import type { ShutdownStep } from './shutdown.ts';

/**
 * What a stop means for those who call at this address. `leaving`: nobody will serve here any more, so the load balancers
 * are told, and given time to notice. `handing over`: another replica serves at the same address, so new connections are
 * left to it at once, and the open ones are let go of as their clients use them.
 */
export type Departure = 'leaving' | 'handing over';

interface Parts {
  readonly config: Config;
  readonly app: TypedApp;
  readonly openConnections: OpenConnections;
  readonly executor: Executor;
  readonly verifications: Verifications;
  readonly tasks: BackgroundTasks;
  readonly repository: PostgresRepository;
  /** From now on connections are let go of. */
  readonly onStopping: () => void;
  /** From now on load balancers are told to go elsewhere. */
  readonly onNotReady: () => void;
}

/** How long an aborted background task may take to notice. */
const abortGraceMs = 1000;

/** The steps of a stop, in their order: requests, lanes, jobs, consumers, streams, and last what they all have used. */
export function shutdownSteps(parts: Parts): (departure: Departure) => readonly ShutdownStep[] {
  const { app, openConnections, executor, verifications, tasks, repository } = parts;
  const first = firstSteps(parts);
  let closed: Promise<void> | undefined;
  const rest: readonly ShutdownStep[] = [
    {
      name: 'finish requests',
      run: async () => {
        // Told now, waited for in their turn: what they finish meanwhile need not be waited for then.
        for (const kind of ['jobs', 'consumers'] as const) tasks.stop(kind);
        // The one request that can take minutes, and loses nothing by being asked again elsewhere.
        verifications.stop();
        closed = app.close();
        await Promise.race([closed, openConnections.finished()]);
      },
      waitingFor: () => 'requests under way',
    },
    {
      name: 'drain lanes',
      run: async () => await executor.drain(),
      waitingFor: () => `${executor.inFlight} operations`,
    },
    ...taskKinds.map((kind) => drainTasks(tasks, kind)),
    {
      name: 'close the server',
      run: async () => await closed,
      waitingFor: () => 'connections of clients',
    },
    {
      name: 'close connections',
      run: async () => await repository.close(),
      waitingFor: () => 'connections in use',
    },
  ];
  return (departure) => [first[departure], ...rest];
}

function firstSteps({
  config,
  app,
  openConnections,
  onStopping,
  onNotReady,
}: Parts): Readonly<Record<Departure, ShutdownStep>> {
  return {
    leaving: {
      name: 'say not ready, and serve on while load balancers notice',
      run: async () => {
        onStopping();
        onNotReady();
        await sleep(config.SHUTDOWN_GRACE);
      },
    },
    'handing over': {
      name: 'leave new connections to others, and serve on over the open ones',
      run: async () => {
        onStopping();
        const timer = new AbortController();
        const grace = sleep(config.HANDOVER_GRACE, undefined, { signal: timer.signal });
        await Promise.race([stopListening(app), openConnections.finished(), grace.catch(() => undefined)]);
        timer.abort();
      },
    },
  };
}

/** Each kind leaves the ones after it, and the closing of connections, the time to be aborted. */
function drainTasks(tasks: BackgroundTasks, kind: TaskKind): ShutdownStep {
  const later = taskKinds.length - taskKinds.indexOf(kind);
  return {
    name: `drain ${kind}`,
    run: async (timeLeftMs) => {
      const deadlineMs = Math.max(0, timeLeftMs - (later + 1) * abortGraceMs);
      const ignored = await tasks.close(kind, { deadlineMs, abortGraceMs });
      if (ignored.length > 0) throw new Error(`${kind} ignored their abort: ${ignored.join(', ')}`);
    },
    waitingFor: () => tasks.running(kind).join(', '),
  };
}
