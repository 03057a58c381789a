import { ConfigError, listSettings, readConfig } from '../config.ts';

/** Prints every setting, and what is wrong with them; answers the exit code: 0 when `serve` would accept them. */
export function showConfig(): number {
  for (const { name, type, description, value, source } of listSettings()) {
    process.stdout.write(
      `${name}=${value ?? ''}\n    ${source === 'default' ? 'default' : 'set'}; ${type}. ${description}\n`,
    );
  }
  try {
    readConfig();
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stdout.write(`\n${error.message}\n`);
    return 1;
  }
}

/** Throws a `ConfigError` that names all faults unless `serve` would accept the settings. */
export function checkConfig(): void {
  readConfig();
}
