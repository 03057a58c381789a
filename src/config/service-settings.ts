import { choice, duration, environments, integer, origins, text, type Setting } from './setting.ts';

/** How a replica listens, logs and stops. */
export const serviceSettings = {
  NODE_ENV: choice({
    description: 'Which defaults hold, and how strict the checks are.',
    values: environments,
    default: 'development',
  }),
  HOST: text({
    description: 'The address to listen on.',
    pattern: /^[^\s]+$/,
    expects: 'a host name or address',
    default: '127.0.0.1',
  }),
  PORT: integer({
    description: 'The port to listen on; 0: any that is free.',
    min: 0,
    max: 65_535,
    default: '3000',
  }),
  LOG_LEVEL: choice({
    description: 'The least severe that is logged.',
    values: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    default: 'info',
  }),
  RATE_LIMIT_MAX: integer({
    description:
      'Requests a minute that each caller may send to one replica: several replicas let through so many times as much. 0: no limit.',
    min: 0,
    max: 10_000_000,
    default: '0',
  }),
  CORS_ORIGINS: origins({
    description: 'Web origins whose pages may call the service from a browser.',
    default: '',
  }),
  KEEP_ALIVE_TIMEOUT: duration({
    description:
      'How long an idle client connection stays open. Longer than the load balancer keeps its own.',
    default: '75s',
    minMs: 1000,
  }),
  REQUEST_TIMEOUT: duration({
    description: 'How long a client may take to send a request.',
    default: '30s',
    minMs: 1000,
  }),
  SHUTDOWN_TIMEOUT: duration({
    description: 'How long a graceful stop may take before it is forced.',
    default: '30s',
    minMs: 100,
  }),
  SHUTDOWN_GRACE: duration({
    description:
      'How long a stopping replica goes on serving after it says that it is not ready: the time a load balancer takes to notice.',
    default: { development: '0s', staging: '5s', production: '5s' },
    maxMs: 300_000,
  }),
} satisfies Record<string, Setting<unknown>>;
