import {
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type DatabaseConnection,
  type Driver,
} from 'kysely';
import pg from 'pg';
import type { Migration } from '../../migrations/migration.ts';
import { TableWatch } from './table-watch.ts';

/** What the exam of a migration rests on. */
export interface Exam {
  /** A database with the migrations before it. It is migrated by the exam. */
  readonly connectionString: string;
  /** Of this code. What a migration removes must have been unused since an earlier one. */
  readonly version: string;
}

/**
 * Runs a migration on a real database, statement by statement, and answers what makes it one that the version before
 * could not live with; none where all is well. It looks at effects, not at the text: which locks are held while a table
 * that was there before is read, written anew or indexed, and what became of its columns.
 */
export async function examine(
  migration: Migration,
  { connectionString, version }: Exam,
): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const watch = await TableWatch.begin(client);
    const faults: string[] = [];
    const outside = migration.outsideTransaction === true;
    const run = outside ? alone(client, watch, faults) : within(client, watch, faults);
    if (!outside) await client.query('begin');
    await migration.up(kyselyOf(run));
    if (!outside) await client.query('commit');
    faults.push(...(await watch.incompatibilities(removable(migration, version, faults))));
    return faults;
  } finally {
    await client.end();
  }
}

type Run = (text: string, values: readonly unknown[]) => Promise<pg.QueryResult<never>>;

/** In the migration's transaction: what one statement has locked, the later ones hold. */
function within(client: pg.Client, watch: TableWatch, faults: string[]): Run {
  return async (text, values) => {
    const result = await client.query<never>({ text, values: [...values] });
    faults.push(...(await watch.harmOf(text, 'in a transaction')));
    return result;
  };
}

/** What can run in a transaction is tried in one first, because its locks can be seen there; what can't is what this is for. */
function alone(client: pg.Client, watch: TableWatch, faults: string[]): Run {
  return async (text, values) => {
    const statement = { text, values: [...values] };
    await client.query('begin');
    try {
      await client.query(statement);
      faults.push(...(await watch.harmOf(text, 'by itself')));
    } catch (error) {
      // active_sql_transaction: it can't run in one.
      if (!(error instanceof pg.DatabaseError && error.code === '25001')) throw error;
    }
    await client.query('rollback');
    const result = await client.query<never>(statement);
    await watch.look();
    return result;
  };
}

/** What the migration may take away: it names what, and a version before this one that did without it already. */
function removable(migration: Migration, version: string, faults: string[]): ReadonlySet<string> {
  const named = Object.entries(migration.removes ?? {});
  for (const [what, unusedSince] of named)
    if (compareVersions(unusedSince, version) >= 0)
      faults.push(
        `${what} is removed, but unused only since ${unusedSince}: version ${version} may still run beside one that uses it`,
      );
  return new Set(named.map(([what]) => what));
}

function compareVersions(one: string, other: string): number {
  const [a, b] = [one, other].map((version) => version.split('.').map(Number));
  for (let i = 0; i < 3; i += 1) {
    const difference = (a?.[i] ?? 0) - (b?.[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The database as the migration sees it: each statement goes through `run`. */
function kyselyOf(run: Run): Kysely<unknown> {
  const refuse = (): Promise<never> =>
    Promise.reject(new Error('a migration’s transaction is not its own to begin: see outsideTransaction'));
  const connection: DatabaseConnection = {
    executeQuery: async ({ sql, parameters }) => ({ rows: (await run(sql, parameters)).rows }),
    streamQuery: () => {
      throw new Error('a migration has nothing to stream');
    },
  };
  const driver: Driver = {
    init: () => Promise.resolve(),
    acquireConnection: () => Promise.resolve(connection),
    beginTransaction: refuse,
    commitTransaction: refuse,
    rollbackTransaction: refuse,
    releaseConnection: () => Promise.resolve(),
    destroy: () => Promise.resolve(),
  };
  return new Kysely<unknown>({
    dialect: {
      createDriver: () => driver,
      createAdapter: () => new PostgresAdapter(),
      createQueryCompiler: () => new PostgresQueryCompiler(),
      createIntrospector: (db) => new PostgresIntrospector(db),
    },
  });
}
