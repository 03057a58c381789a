import { duration, flag, integer, optional, required, SettingFault, type Setting } from './setting.ts';

/** Which database, and how much of it a replica uses. */
export const databaseSettings = {
  DATABASE_URL: required(
    'postgres:// URL',
    { description: 'The PostgreSQL (15 or later) to serve from.', secret: true },
    postgresUrl,
  ),
  DATABASE_DIRECT_URL: optional(
    'postgres:// URL',
    {
      description:
        'The same database past any pooler, for what needs a session of its own: migrations and background work. Without it they use DATABASE_URL.',
      secret: true,
    },
    postgresUrl,
  ),
  DB_MAX_CONNS: integer({
    description:
      'Connections to the database at most, of each replica; LANES, PATIENT_WORKERS and one more of them are for transactions, DB_BACKGROUND_CONNS for background work, the rest for reads.',
    min: 2,
    max: 1000,
    default: { development: '10', staging: '20', production: '50' },
  }),
  DB_BACKGROUND_CONNS: integer({
    description:
      'Of DB_MAX_CONNS, those for background work: two are held for jobs all the time, a consumer holds one while it has its turn. Used only with BACKGROUND_WORK.',
    min: 3,
    max: 100,
    default: { development: '4', staging: '6', production: '6' },
  }),
  DB_MAX_CONN_IDLE_TIME: duration({
    description: 'An idle connection is closed after so long.',
    default: { development: '30m', staging: '10m', production: '5m' },
    minMs: 1000,
  }),
  DB_MAX_CONN_LIFETIME: duration({
    description: 'A connection is replaced after so long.',
    default: { development: '1h', staging: '30m', production: '30m' },
    minMs: 1000,
  }),
  DB_ACQUIRE_TIMEOUT: duration({
    description: 'How long to wait for a connection.',
    default: '5s',
    minMs: 10,
  }),
  DB_LOCK_TIMEOUT: duration({
    description: 'How long an operation waits for a locked row before it is answered `busy`.',
    default: '5s',
    minMs: 10,
  }),
  DB_BATCH_LOCK_WAIT: duration({
    description:
      'How long a batch waits for one account’s lock before it goes on without the commands that need it.',
    default: '50ms',
    minMs: 10,
  }),
  DB_STATEMENT_TIMEOUT: duration({
    description: 'How long one statement may run.',
    default: '10s',
    minMs: 100,
  }),
  DB_TRANSACTION_TIMEOUT: duration({
    description: 'How long a transaction may take from here before its connection is given up.',
    default: '30s',
    minMs: 1000,
  }),
  DB_IDLE_IN_TRANSACTION_TIMEOUT: duration({
    description: 'The database ends a transaction of a replica that has vanished after so long.',
    default: '5s',
    minMs: 100,
  }),
  DB_CONNECTION_CHECK_INTERVAL: duration({
    description:
      'How often the database looks whether a replica that waits for it is still there; 0s where its platform can’t.',
    default: '2s',
  }),
  DB_NAMED_STATEMENTS: flag({
    description:
      'Plan each statement once a connection. Turn it off behind a transaction pooler that does not know named statements.',
    default: 'true',
  }),
} satisfies Record<string, Setting<unknown>>;

export function postgresUrl(value: string): string {
  const url = URL.parse(value);
  if (url === null || !['postgres:', 'postgresql:'].includes(url.protocol)) {
    throw new SettingFault('must be a URL such as postgres://user:password@host:5432/database');
  }
  return value;
}
