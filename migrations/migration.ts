import type { Migration as KyselyMigration } from 'kysely/migration';

/**
 * A step of the schema that the version before it can live with: it goes on serving while this runs, and afterwards.
 * DEPLOYMENT.md, "Migrations", says how that is done; test/migrations/ refuses what locks a big table or takes away
 * what is still used.
 */
export interface Migration extends KyselyMigration {
  /**
   * Runs by itself, each statement on its own, for what PostgreSQL refuses in a transaction (`CREATE INDEX CONCURRENTLY`)
   * and for filling a column in small portions. It must bear being run again from its beginning: one that was cut short is.
   */
  readonly outsideTransaction?: boolean;
  /** What it takes away (`table` or `table.column`), with the released version that was the first not to use it. */
  readonly removes?: Readonly<Record<string, string>>;
}
