import pg from 'pg';
import { afterEach, beforeEach, describe } from 'vitest';
import { MemoryDatabase, oneTurn, type Moment } from '../../src/repository/memory/memory-database.ts';
import { MemoryRepository } from '../../src/repository/memory/memory-repository.ts';
import { PostgresRepository, type PostgresSettings } from '../../src/repository/postgres/repository.ts';
import type { Repository } from '../../src/repository/repository.ts';
import { createTestDatabase } from './database.ts';
import { Gate } from './gate.ts';
import { memoryWithoutLocks, withoutAccountLocks } from './without-locks.ts';

/** One database, new and empty, and replicas on it. Observed from outside, as an operator would. */
export interface World {
  readonly kind: 'memory' | 'postgres';
  /** Another replica. The observer knows its transactions by its name, so let each have one under way at a time. */
  replica(name: string, settings?: { lockTimeoutMs?: number }): Repository;
  /** The replicas that this one's transaction waits for: on PostgreSQL by `pg_blocking_pids`. */
  blockersOf(name: string): Promise<readonly string[]>;
  /** The database's clock. */
  nowMs(): Promise<number>;
  /**
   * From now on this replica's commits get stuck after they have numbered their operations, and answers how to let
   * them go on. These operations must have entries, and those of others must have none.
   */
  stallCommits(name: string): Promise<() => Promise<void>>;
  /** Tells whether a replica's commit is stuck. */
  isStalled(name: string): Promise<boolean>;
  /** A replica whose transactions only say that they lock accounts: a test of locking must fail over it. */
  unlocked(): Pick<Repository, 'transaction'>;
  close(): Promise<void>;
}

/** Registers a suite for each implementation; each test has a world of its own. */
export function onEveryRepository(suite: (world: () => World) => void): void {
  describe.each([
    { name: 'memory', open: openMemory },
    { name: 'PostgreSQL', open: openPostgres },
  ])('$name', ({ open }) => {
    let world: World | undefined;
    beforeEach(async () => {
      world = await open();
    });
    afterEach(async () => await world?.close());
    suite(() => {
      if (world === undefined) throw new Error('a world exists only within a test');
      return world;
    });
  });
}

function openMemory(): Promise<World> {
  const gates = new Map<string, Gate>();
  const stalled = new Set<string>();
  const pause = async (moment: Moment, replica: string): Promise<void> => {
    await oneTurn();
    const gate = moment === 'commit' ? gates.get(replica) : undefined;
    if (gate === undefined) return;
    stalled.add(replica);
    await gate.opened;
    stalled.delete(replica);
  };
  const database = new MemoryDatabase({ pause });
  return Promise.resolve({
    kind: 'memory',
    replica: (name, settings) => new MemoryRepository({ database, name, ...settings }),
    blockersOf: (name) =>
      Promise.resolve(
        database.locks
          .waits()
          .filter(({ waiter }) => waiter === name)
          .map(({ holder }) => holder),
      ),
    nowMs: () => Promise.resolve(database.nowMs()),
    stallCommits: (name) => {
      const gate = new Gate();
      gates.set(name, gate);
      return Promise.resolve(() => {
        gates.delete(name);
        gate.open();
        return Promise.resolve();
      });
    },
    isStalled: (name) => Promise.resolve(stalled.has(name)),
    unlocked: memoryWithoutLocks,
    close: () => Promise.resolve(),
  });
}

/** Settings of a replica for tests: patient, so that what a test does not time cannot run out. */
export function postgresSettings(connectionString: string, name: string): PostgresSettings {
  return {
    connectionString,
    applicationName: name,
    maxTransactionConnections: 8,
    maxReadConnections: 2,
    maxBackgroundConnections: 4,
    backgroundConnectionString: connectionString,
    acquireTimeoutMs: 10_000,
    idleConnectionMs: 60_000,
    connectionLifetimeMs: 600_000,
    transactionTimeoutMs: 30_000,
    lockTimeoutMs: 10_000,
    statementTimeoutMs: 20_000,
    idleTimeoutMs: 20_000,
    connectionCheckMs: 1_000,
    namedStatements: true,
  };
}

async function openPostgres(): Promise<World> {
  const { url } = await createTestDatabase();
  const observer = new pg.Client({ connectionString: url, application_name: 'observer' });
  await observer.connect();
  const repositories: PostgresRepository[] = [];
  const replica = (name: string, settings?: { lockTimeoutMs?: number }): PostgresRepository => {
    const repository = PostgresRepository.open(
      { ...postgresSettings(url, name), ...settings },
      () => undefined,
    );
    repositories.push(repository);
    return repository;
  };
  const blockersOf = async (name: string): Promise<string[]> => {
    const { rows } = await observer.query<{ name: string }>(blockers, [name]);
    return rows.map((row) => row.name);
  };
  return {
    kind: 'postgres',
    replica,
    blockersOf,
    nowMs: async () => {
      const { rows } = await observer.query<{ ms: number }>(
        'select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms',
      );
      return rows[0]?.ms ?? NaN;
    },
    stallCommits: async () => {
      const staller = new pg.Client({ connectionString: url, application_name: 'staller' });
      await staller.connect();
      await staller.query('begin');
      await staller.query('lock table entries in share mode');
      return async () => {
        await staller.query('rollback');
        await staller.end();
      };
    },
    isStalled: async (name) => (await blockersOf(name)).includes('staller'),
    unlocked: () => withoutAccountLocks(replica('unlocked')),
    close: async () => {
      await Promise.all(repositories.map((repository) => repository.close()));
      await observer.end();
    },
  };
}

const blockers = `
  select distinct holder.application_name as name
  from pg_stat_activity as waiter
  cross join lateral unnest(pg_blocking_pids(waiter.pid)) as blocking (pid)
  join pg_stat_activity as holder on holder.pid = blocking.pid
  where waiter.application_name = $1 and waiter.datname = current_database()`;
