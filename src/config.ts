import {
  choice,
  duration,
  environments,
  flag,
  integer,
  optional,
  origins,
  required,
  SettingFault,
  text,
  type Environment,
  type Setting,
} from './settings.ts';

/** Every setting of the service. Nothing else reads the environment. */
export const settings = {
  NODE_ENV: choice({
    description: 'Which defaults hold, and how strict the checks are.',
    values: environments,
    default: 'development',
  }),
  DATABASE_URL: required(
    'postgres:// URL',
    { description: 'The PostgreSQL (15 or later) to serve from.', secret: true },
    postgresUrl,
  ),
  DATABASE_DIRECT_URL: optional(
    'postgres:// URL',
    {
      description:
        'The same database past any pooler, for what needs a session of its own: migrations. Without it they use DATABASE_URL.',
      secret: true,
    },
    postgresUrl,
  ),
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
  ADMIN_API_KEY: required(
    'text',
    {
      description: 'The bearer token with the role admin. In production at least 32 characters.',
      secret: true,
    },
    adminApiKey,
  ),
  JWT_SECRET: optional(
    'text',
    {
      description:
        'The secret, shared with who signs them, that player tokens are verified with (HS256). At least 32 characters.',
      secret: true,
    },
    jwtSecret,
  ),
  JWT_JWKS: optional(
    'file or https:// URL',
    {
      description:
        'Where the public keys are that player tokens are verified with: a JSON Web Key Set. A file is read at the start, a URL fetched when needed.',
    },
    jwksPlace,
  ),
  JWT_ISSUER: optional(
    'text',
    { description: 'The issuer (`iss`) that player tokens must name. Required with JWT_SECRET or JWT_JWKS.' },
    (value) => value,
  ),
  JWT_AUDIENCE: optional(
    'text',
    {
      description: 'The audience (`aud`) that player tokens must name. Required with JWT_SECRET or JWT_JWKS.',
    },
    (value) => value,
  ),
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

  DB_MAX_CONNS: integer({
    description:
      'Connections to the database at most, of each replica; LANES, PATIENT_WORKERS and two more of them are for transactions, the rest for reads.',
    min: 2,
    max: 1000,
    default: { development: '10', staging: '20', production: '50' },
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

  LANES: integer({
    description: 'Batches under way at once. For throughput only; two suit most databases.',
    min: 1,
    max: 64,
    default: '2',
  }),
  LANE_BATCH_MAX: integer({
    description: 'Operations in one batch at most.',
    min: 1,
    max: 1000,
    default: '128',
  }),
  QUEUE_MAX: integer({
    description: 'Operations waiting or under way at most; beyond it they are answered `overloaded`.',
    min: 1,
    max: 1_000_000,
    default: '10000',
  }),
  PATIENT_WORKERS: integer({
    description: 'Operations that wait alone for locked accounts at once.',
    min: 1,
    max: 64,
    default: '2',
  }),
  RETRY_MAX: integer({
    description: 'How often an operation is tried again after a failure that may pass.',
    min: 0,
    max: 20,
    default: '8',
  }),
  RETRY_BACKOFF: duration({
    description: 'Bound of the random wait before the first retry; it doubles with each.',
    default: '20ms',
    minMs: 1,
  }),
  RETRY_BACKOFF_MAX: duration({
    description: 'What that bound does not grow beyond.',
    default: '1s',
    minMs: 1,
  }),

  VERIFY_PAGE_ROWS: integer({
    description:
      'Rows that a verification reads at once: what it keeps in memory, and how long a snapshot of its lives.',
    min: 10,
    max: 100_000,
    default: '1000',
  }),
  VERIFY_PAUSE: duration({
    description:
      'How long a verification rests after each page, for the operations that go on meanwhile. Shorter is faster, and costs them more.',
    default: '10ms',
    maxMs: 60_000,
  }),
  VERIFY_DISCREPANCIES_MAX: integer({
    description: 'Discrepancies that are kept of one verification; all are counted.',
    min: 1,
    max: 100_000,
    default: '1000',
  }),
} satisfies Record<string, Setting<unknown>>;

type Settings = typeof settings;
export type SettingName = keyof Settings;

/** The value of each setting. */
export type Config = { readonly [Name in SettingName]: ReturnType<Settings[Name]['parse']> };

/** Everything that is wrong with the settings, at once. */
export class ConfigError extends Error {
  override name = 'ConfigError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`the settings are not valid:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}

/** Reads and checks every setting; throws a `ConfigError` that names all faults. An empty variable counts as not set. */
export function readConfig(env: Readonly<Record<string, string | undefined>> = process.env): Config {
  const environment = environmentOf(env);
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries<Setting<unknown>>(settings)) {
    const text = given(env[name]) ?? setting.defaultIn(environment);
    if (text === null) {
      if (setting.required) faults.push(`${name} is required: ${setting.description}`);
      values[name] = null;
      continue;
    }
    try {
      values[name] = setting.parse(text, environment);
    } catch (error) {
      if (!(error instanceof SettingFault)) throw error;
      faults.push(`${name} ${error.message}${setting.secret ? '' : `, not ${JSON.stringify(text)}`}`);
    }
  }
  // The names and types are those of `settings`, each put there by its own parser.
  const config = values as Config;
  if (faults.length === 0) faults.push(...contradictions(config));
  if (faults.length > 0) throw new ConfigError(faults);
  return config;
}

/** A setting as `holdfast config` lists it. */
export interface ListedSetting {
  readonly name: string;
  readonly type: string;
  readonly description: string;
  /** What holds; secrets are hidden, null is unset. */
  readonly value: string | null;
  readonly source: 'environment' | 'default';
}

/** Lists every setting with what holds now, whether or not it is valid. */
export function listSettings(
  env: Readonly<Record<string, string | undefined>> = process.env,
): readonly ListedSetting[] {
  const environment = environmentOf(env);
  return Object.entries<Setting<unknown>>(settings).map(
    ([name, { type, description, secret, defaultIn }]) => {
      const set = given(env[name]);
      const value = set ?? defaultIn(environment);
      return {
        name,
        type,
        description,
        value: secret && value !== null ? '(secret)' : value,
        source: set === undefined ? 'default' : 'environment',
      };
    },
  );
}

/** Settings that are valid each by itself, but not together. */
function contradictions(config: Config): string[] {
  const faults: string[] = [];
  const { transactions } = connectionsOf(config);
  if (config.DB_MAX_CONNS <= transactions) {
    faults.push(
      `DB_MAX_CONNS must be more than ${transactions}, which is LANES + PATIENT_WORKERS + 2, so that reads have connections too`,
    );
  }
  if (config.DB_BATCH_LOCK_WAIT > config.DB_LOCK_TIMEOUT)
    faults.push('DB_BATCH_LOCK_WAIT must not be longer than DB_LOCK_TIMEOUT');
  if (config.DB_LOCK_TIMEOUT >= config.DB_STATEMENT_TIMEOUT) {
    faults.push(
      'DB_LOCK_TIMEOUT must be shorter than DB_STATEMENT_TIMEOUT, or a lock wait ends as a slow statement',
    );
  }
  if (config.DB_STATEMENT_TIMEOUT >= config.DB_TRANSACTION_TIMEOUT) {
    faults.push('DB_STATEMENT_TIMEOUT must be shorter than DB_TRANSACTION_TIMEOUT');
  }
  const { JWT_SECRET, JWT_JWKS, JWT_ISSUER, JWT_AUDIENCE } = config;
  if (JWT_SECRET !== null && JWT_JWKS !== null)
    faults.push('JWT_SECRET and JWT_JWKS exclude each other: tokens are signed in one way');
  const tokens = JWT_SECRET !== null || JWT_JWKS !== null;
  for (const [name, value] of Object.entries({ JWT_ISSUER, JWT_AUDIENCE })) {
    if (tokens && value === null) faults.push(`${name} is required with JWT_SECRET or JWT_JWKS`);
    if (!tokens && value !== null) faults.push(`${name} is set, but neither JWT_SECRET nor JWT_JWKS is`);
  }
  if (config.SHUTDOWN_GRACE >= config.SHUTDOWN_TIMEOUT)
    faults.push('SHUTDOWN_GRACE must be shorter than SHUTDOWN_TIMEOUT');
  if (config.WORKERS > 1 && config.HANDOVER_GRACE >= config.SHUTDOWN_TIMEOUT)
    faults.push('HANDOVER_GRACE must be shorter than SHUTDOWN_TIMEOUT');
  if (config.WORKER_RESTART_BACKOFF > config.WORKER_RESTART_BACKOFF_MAX)
    faults.push('WORKER_RESTART_BACKOFF must not be longer than WORKER_RESTART_BACKOFF_MAX');
  return faults;
}

/** How the connections are shared out: every lane and patient worker can have one at any time, and two are for the editors. */
export function connectionsOf(config: Config): { transactions: number; reads: number } {
  const transactions = config.LANES + config.PATIENT_WORKERS + 2;
  return { transactions, reads: config.DB_MAX_CONNS - transactions };
}

function environmentOf(env: Readonly<Record<string, string | undefined>>): Environment {
  return environments.find((name) => name === env['NODE_ENV']) ?? 'development';
}

function given(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value;
}

function postgresUrl(value: string): string {
  const url = URL.parse(value);
  if (url === null || !['postgres:', 'postgresql:'].includes(url.protocol)) {
    throw new SettingFault('must be a URL such as postgres://user:password@host:5432/database');
  }
  return value;
}

function adminApiKey(value: string, environment: Environment): string {
  if (/\s/.test(value)) throw new SettingFault('must not hold white space');
  if (environment === 'production') {
    if (value.length < 32) throw new SettingFault('must have at least 32 characters in production');
    refuseExample(value);
  }
  return value;
}

function jwtSecret(value: string, environment: Environment): string {
  if (value.length < 32) throw new SettingFault('must have at least 32 characters');
  if (environment === 'production') refuseExample(value);
  return value;
}

/** What stands in examples, in templates, and in what `dev` prints is known to everyone. */
const exampleSecrets =
  /change.?(me|this)|replace.?(me|this|with)|example|your.?(secret|key)|hf_dev_|placeholder|<[^>]*>/i;

function refuseExample(value: string): void {
  if (exampleSecrets.test(value))
    throw new SettingFault('looks like an example; make one, for instance with `openssl rand -hex 32`');
}

function jwksPlace(value: string): string {
  const url = /^[a-z]+:\/\//i.test(value) ? URL.parse(value) : undefined;
  if (url === undefined) return value;
  const loopback = url !== null && ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname);
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && loopback)) return value;
  throw new SettingFault('must be the path of a file, an https:// URL, or an http:// one on this host');
}

/** For what needs a session of its own, which a pooler may not give: DATABASE_DIRECT_URL, or else DATABASE_URL. */
export function readDirectDatabaseUrl(
  env: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const name = given(env['DATABASE_DIRECT_URL']) === undefined ? 'DATABASE_URL' : 'DATABASE_DIRECT_URL';
  const value = given(env[name]);
  if (value === undefined)
    throw new ConfigError([`DATABASE_URL is required: ${settings.DATABASE_URL.description}`]);
  try {
    return postgresUrl(value);
  } catch (error) {
    if (!(error instanceof SettingFault)) throw error;
    throw new ConfigError([`${name} ${error.message}`]);
  }
}

/** Whether there is a database to use. */
export function hasDatabaseUrl(env: Readonly<Record<string, string | undefined>> = process.env): boolean {
  return given(env['DATABASE_URL']) !== undefined;
}

/** For a command that uses the database as the service does, but serves nobody; `databaseUrl` stands in for DATABASE_URL. */
export function readConfigWithoutService(
  databaseUrl: string | undefined,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Config {
  const DATABASE_URL = databaseUrl ?? env['DATABASE_URL'];
  return readConfig({ ...env, DATABASE_URL, ADMIN_API_KEY: 'nobody-is-served'.repeat(2) });
}

/** What `dev` takes from the environment, and hands on to its replicas: quiet ones, unless told otherwise. */
export function devEnvironment(env: Readonly<Record<string, string | undefined>> = process.env): {
  basePort: number;
  environment: Readonly<Record<string, string | undefined>>;
} {
  const environment = { LOG_LEVEL: 'warn', ...env, NODE_ENV: 'development', WORKERS: '1' };
  const { PORT } = readConfig({
    ...environment,
    DATABASE_URL: 'postgres://embedded',
    ADMIN_API_KEY: 'made-by-dev',
  });
  return { basePort: PORT, environment };
}
