/** The kinds of settings: how the text of an environment variable becomes a value, and what is wrong with it if it does not. */

export type Environment = 'development' | 'staging' | 'production';

export const environments: readonly Environment[] = ['development', 'staging', 'production'];

/** One setting. Its text comes from the environment, or else from its default. */
export interface Setting<Value> {
  /** What the operator reads about it. */
  readonly description: string;
  /** Its type, for people: `duration`, `integer 1–64`. */
  readonly type: string;
  /** Text; null: there is none, and the setting is off or, if `required`, missing. */
  readonly defaultIn: (environment: Environment) => string | null;
  readonly required: boolean;
  /** Never shown. */
  readonly secret: boolean;
  /** Throws a `SettingFault` when the text is not a value. */
  readonly parse: (text: string, environment: Environment) => Value;
}

/** What is wrong with the text of a setting, to be read after its name. */
export class SettingFault extends Error {
  override name = 'SettingFault';
}

interface Common {
  readonly description: string;
  readonly secret?: boolean;
}

type Default = string | Readonly<Record<Environment, string>>;

/** A setting that always has a value. */
interface WithDefault extends Common {
  readonly default: Default;
}

function setting<Value>(type: string, options: WithDefault, parse: Setting<Value>['parse']): Setting<Value> {
  const { description, secret = false, default: fallback } = options;
  const defaultIn = (environment: Environment): string =>
    typeof fallback === 'string' ? fallback : fallback[environment];
  return { type, description, secret, required: true, defaultIn, parse };
}

/** A setting that must be given. */
export function required<Value>(
  type: string,
  options: Common,
  parse: Setting<Value>['parse'],
): Setting<Value> {
  const { description, secret = false } = options;
  return { type, description, secret, required: true, defaultIn: () => null, parse };
}

/** A setting that may be left out: then it is null. */
export function optional<Value>(
  type: string,
  options: Common,
  parse: Setting<Value>['parse'],
): Setting<Value | null> {
  return { ...required(type, options, parse), required: false };
}

export function integer(
  options: WithDefault & { readonly min: number; readonly max: number },
): Setting<number> {
  const { min, max } = options;
  return setting(`integer ${min}–${max}`, options, (text) => {
    const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : NaN;
    if (!(value >= min && value <= max))
      throw new SettingFault(`must be a whole number from ${min} to ${max}`);
    return value;
  });
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A duration such as `250ms`, `5m` or `1h`; its value is in ms. */
export function duration(
  options: WithDefault & { readonly minMs?: number; readonly maxMs?: number },
): Setting<number> {
  const { minMs = 0, maxMs = 86_400_000 } = options;
  return setting('duration', options, (text) => {
    const [, amount, unit = ''] = /^([0-9]{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
    const valueMs = Number(amount) * (unitMs[unit] ?? NaN);
    if (Number.isNaN(valueMs)) throw new SettingFault('must be a duration such as 250ms, 30s, 5m or 1h');
    if (valueMs < minMs || valueMs > maxMs) throw new SettingFault(`must be from ${minMs} ms to ${maxMs} ms`);
    return valueMs;
  });
}

export function flag(options: WithDefault): Setting<boolean> {
  return setting('true or false', options, (text) => {
    if (text !== 'true' && text !== 'false') throw new SettingFault('must be true or false');
    return text === 'true';
  });
}

export function choice<const Value extends string>(
  options: WithDefault & { readonly values: readonly Value[] },
): Setting<Value> {
  return setting(options.values.join(', '), options, (text) => {
    const found = options.values.find((value) => value === text);
    if (found === undefined) throw new SettingFault(`must be one of ${options.values.join(', ')}`);
    return found;
  });
}

export function text(
  options: WithDefault & { readonly pattern: RegExp; readonly expects: string },
): Setting<string> {
  return setting('text', options, (value) => {
    if (!options.pattern.test(value)) throw new SettingFault(`must be ${options.expects}`);
    return value;
  });
}

/** Values separated by commas, each a web origin. */
export function origins(options: WithDefault): Setting<readonly string[]> {
  return setting('origins, separated by commas', options, (text) => {
    const values = text.split(',').map((origin) => origin.trim());
    const listed = values.filter((origin) => origin !== '');
    const wrong = listed.find((origin) => URL.parse(origin)?.origin !== origin);
    if (wrong !== undefined)
      throw new SettingFault(`must list origins such as https://shop.example, and ${wrong} is none`);
    return listed;
  });
}
