import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, inject } from 'vitest';
import { errorCode } from '../../src/development/system-error.ts';
import { databaseUrl, query } from './query.ts';

/** A database of one test file, with the schema of the latest migration and nothing else in it. */
export interface TestDatabase {
  readonly url: string;
  readonly name: string;
  /**
   * Drops it now; otherwise that happens after the file. May be called twice. Connections that are still open are
   * cut, and then it throws with what they were doing: a test that leaks one would slow down or upset another.
   */
  drop(): Promise<void>;
}

const closeMsMax = 2000;
const createTriesMax = 50;
const created: TestDatabase[] = [];

// Runs after the file's own hooks, which were registered later, have closed what they opened.
afterAll(async () => {
  const outcomes = await Promise.allSettled(created.splice(0).map((database) => database.drop()));
  const failures = outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? [outcome.reason as unknown] : [],
  );
  if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join('\n'));
});

/**
 * Gives a fresh copy of the run's migrated template database, in some 10 ms. May be called anywhere in a test file,
 * by any number of files at once. A database of the file's own can be the template instead, while nobody uses it.
 */
export async function createTestDatabase(own?: TestDatabase): Promise<TestDatabase> {
  const { maintenanceUrl, template, prefix } = inject('postgres');
  const name = `${prefix}${randomBytes(6).toString('hex')}`;
  await cloneTemplate(maintenanceUrl, own?.name ?? template, name);
  let dropping: Promise<void> | undefined;
  const database: TestDatabase = {
    name,
    url: databaseUrl(maintenanceUrl, name),
    drop: () => (dropping ??= dropDatabase(maintenanceUrl, name)),
  };
  created.push(database);
  return database;
}

async function cloneTemplate(maintenanceUrl: string, template: string, name: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      // wal_log copies through shared buffers; file_copy is as fast here, but forces two checkpoints on every other database.
      await query(maintenanceUrl, `create database ${name} template ${template} strategy wal_log`);
      return;
    } catch (error) {
      // object_in_use: something of the server's own, such as its autovacuum, is at the template at this moment.
      if (errorCode(error) !== '55006' || tries >= createTriesMax) throw error;
      await delay(20);
    }
  }
}

async function dropDatabase(maintenanceUrl: string, name: string): Promise<void> {
  const leaked = await connectionsAfterClosing(maintenanceUrl, name);
  await query(maintenanceUrl, `drop database if exists ${name} with (force)`);
  if (leaked.length > 0)
    throw new Error(`${leaked.length} connections to ${name} were left open: ${leaked.join('; ')}`);
}

/** A connection that was just closed takes the server a moment. */
async function connectionsAfterClosing(maintenanceUrl: string, name: string): Promise<string[]> {
  const endsAtMs = performance.now() + closeMsMax;
  for (;;) {
    const { rows } = await query(
      maintenanceUrl,
      `select concat_ws(', ', application_name, state, left(query, 80)) as connection
       from pg_stat_activity where datname = $1 and backend_type = 'client backend'`,
      [name],
    );
    const open = rows.map((row) => String(row['connection']));
    if (open.length === 0 || performance.now() >= endsAtMs) return open;
    await delay(20);
  }
}
