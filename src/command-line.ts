import { Command, InvalidArgumentError, Option } from 'commander';
import { ConfigError } from './config.ts';
import { roles, type Role } from './domain/role.ts';
import { RepositoryError } from './repository/errors.ts';
import { version } from './version.ts';

/**
 * The command line. Each command is loaded when it is asked for, so that `serve` does not pay for what only
 * development needs.
 */
const program = new Command('holdfast')
  .description('Inventories and economies that stay correct however many replicas run.')
  .version(version);

program
  .command('serve')
  .description('serve from DATABASE_URL: one replica, or WORKERS of them behind one port')
  .action(async () => {
    const { serve } = await import('./commands/serve.ts');
    const code = await serve();
    // Whatever was not drained would keep the process alive.
    if (code !== 0) process.exit(code);
  });

program
  .command('migrate')
  .description('bring the database at DATABASE_URL to the schema of this version')
  .action(async () => {
    const { migrate } = await import('./commands/migrate.ts');
    await migrate();
  });

program
  .command('verify')
  .description('check the whole ledger; exit code 0 when nothing is wrong with it')
  .option('--json', 'print the result as JSON', false)
  .action(async (options: { json: boolean }) => {
    const { verify } = await import('./commands/verify.ts');
    process.exitCode = await verify(options);
  });

const keys = program.command('keys').description('the API keys in the database at DATABASE_URL');
keys
  .command('create')
  .description('make a key, and print it once')
  .requiredOption('--name <name>', 'who it is for; operations say key:<name>')
  .addOption(new Option('--role <role>', 'what it may do').choices(roles).makeOptionMandatory())
  .option('--account <account>', 'for the role player: the account that it acts on')
  .action(async (options: { name: string; role: Role; account?: string }) => {
    const { createKey } = await import('./commands/keys.ts');
    process.exitCode = await createKey(options);
  });
keys
  .command('list')
  .description('every key that is valid, without its secret')
  .option('--json', 'print them as JSON', false)
  .action(async (options: { json: boolean }) => {
    const { listKeys } = await import('./commands/keys.ts');
    process.exitCode = await listKeys(options);
  });
keys
  .command('revoke')
  .description('make a key worthless on every replica, at once')
  .argument('<id>', 'the id that `keys list` shows')
  .action(async (id: string) => {
    const { revokeKey } = await import('./commands/keys.ts');
    process.exitCode = await revokeKey(id);
  });

const consumers = program
  .command('consumers')
  .description(
    'the consumers of the feed in the database at DATABASE_URL: position, lag, owner, what they parked',
  )
  .option('--json', 'print them as JSON', false)
  .action(async (options: { json: boolean }) => {
    const { listConsumers } = await import('./commands/consumers.ts');
    process.exitCode = await listConsumers(options);
  });
consumers
  .command('parked')
  .description('the operations that a consumer gave up on, and why')
  .argument('<consumer>', 'as `consumers` names it')
  .action(async (consumer: string) => {
    const { listParked } = await import('./commands/consumers.ts');
    process.exitCode = await listParked({ consumer, ...consumers.opts<{ json: boolean }>() });
  });
consumers
  .command('retry')
  .description('have a consumer try what it parked once more')
  .argument('<consumer>', 'as `consumers` names it')
  .argument('[operation]', 'the one operation; none: all of them')
  .action(async (consumer: string, operation: string | undefined) => {
    const { retryParked } = await import('./commands/consumers.ts');
    process.exitCode = await retryParked({ consumer, operation: operation ?? null });
  });

program
  .command('config')
  .description('list every setting, what holds and where it comes from')
  .option('--check', 'only say what is wrong with them; exit code 0 when nothing is', false)
  .action(async ({ check }: { check: boolean }) => {
    const { checkConfig, showConfig } = await import('./commands/config.ts');
    if (check) checkConfig();
    else process.exitCode = showConfig();
  });

program
  .command('dev')
  .description('serve for development: embedded PostgreSQL, migrated, with an example catalog')
  .option('--replicas <n>', 'so many processes, on consecutive ports', wholeNumber(1, 32), 1)
  .action(async ({ replicas }: { replicas: number }) => {
    const { dev } = await import('./development/dev.ts');
    process.exitCode = await dev({ replicas });
  });

program
  .command('demo')
  .description(
    'three replicas under one workload: a mutex in each process, row locks, and Holdfast, one of which is killed',
  )
  .action(async () => {
    const { demo } = await import('../demo/demo.ts');
    process.exitCode = await demo();
  });

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${explain(error)}\n`);
  process.exitCode = 1;
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : NaN;
    if (!(value >= min && value <= max))
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    return value;
  };
}

/** What an operator can act on goes without a stack trace. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof ConfigError) return `holdfast: ${error.message}`;
  if (error instanceof RepositoryError) {
    const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
    return `holdfast: ${error.message}${cause}`;
  }
  return `holdfast: ${error.stack ?? error.message}`;
}
