import { duration, integer, type Setting } from './setting.ts';

/** Several replicas on one host. */
export const workerSettings = {
  WORKERS: integer({
    description:
      'Replicas that `serve` runs on this host behind its one port. From 2 on each is a process, with DB_MAX_CONNS connections of its own.',
    min: 1,
    max: 64,
    default: '1',
  }),
  WORKER_START_TIMEOUT: duration({
    description: 'How long one of several replicas may take until it serves.',
    default: '60s',
    minMs: 100,
  }),
  WORKER_RESTART_BACKOFF: duration({
    description: 'Wait before a replica is started that ended soon after its start; it doubles with each.',
    default: '1s',
    minMs: 10,
  }),
  WORKER_RESTART_BACKOFF_MAX: duration({
    description:
      'What that wait does not grow beyond; a replica that served longer is started again at once.',
    default: '30s',
    minMs: 10,
  }),
  HANDOVER_GRACE: duration({
    description:
      'How long a replica that another has replaced goes on serving the connections it has, while each answer tells its client to use another next.',
    default: '10s',
    maxMs: 300_000,
  }),
} satisfies Record<string, Setting<unknown>>;
