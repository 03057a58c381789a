import { readDirectDatabaseUrl } from '../config.ts';
import { migrateToLatest } from '../repository/postgres/migrate.ts';

/** Migrates the database at DATABASE_DIRECT_URL, or else DATABASE_URL, and says what was done; throws when it can't. */
export async function migrate(): Promise<void> {
  const applied = await migrateToLatest({ connectionString: readDirectDatabaseUrl(), log });
  const done = applied.length === 0 ? 'the database is up to date' : `applied ${applied.join(', ')}`;
  process.stdout.write(`${done}\n`);
}

/** What the operator would wonder about; the result is said above. */
const log = {
  info: () => undefined,
  warn: (fields: object, message: string) => {
    process.stderr.write(`${message} ${JSON.stringify(fields)}\n`);
  },
};
