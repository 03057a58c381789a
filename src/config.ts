import { contradictions } from './config/contradictions.ts';
import { postgresUrl } from './config/database-settings.ts';
import { environments, SettingFault, type Environment, type Setting } from './config/setting.ts';
import { settings, type Config } from './config/settings.ts';

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

function environmentOf(env: Readonly<Record<string, string | undefined>>): Environment {
  return environments.find((name) => name === env['NODE_ENV']) ?? 'development';
}

function given(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value;
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
