import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createTestDatabase } from '../../../test/support/database.ts';
import { postgresSettings } from '../../../test/support/repositories.ts';
import { readPage } from './consumer-statements.ts';
import { PostgresRepository } from './repository.ts';

// What a page of the feed costs when there are a million operations: as much as when there are few, wherever it is.

const operations = 1_000_000;
const limit = 200;
/** Pages of the database that a page of the feed may touch: 200 rows lie on some ten; the way down the index is three. */
const buffersMax = 60;
const places = { beginning: 0, middle: operations / 2, end: operations - limit, 'the very end': operations };

interface Sent {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** A node of a plan, as EXPLAIN has it. */
interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Shared Hit Blocks': number;
  readonly 'Shared Read Blocks': number;
  readonly Plans?: readonly PlanNode[];
}

let repository: PostgresRepository;
let session: pg.Client;

beforeAll(async () => {
  const { url } = await createTestDatabase();
  session = new pg.Client({ connectionString: url });
  await session.connect();
  // Nobody may analyze it until the test does, and it fills faster without the indexes that no page of the feed can use.
  await session.query(`alter table operations set (autovacuum_enabled = false)`);
  await session.query(`alter table operations drop constraint operations_pkey`);
  await session.query(`drop index operations_key`);
  await session.query(
    `insert into operations (position, id, bucket, home, type, at, actor, receipt)
     select n, gen_random_uuid(), n % 256, 'p' || n % 1000, 'grant', now(), 'key:test',
       ('{"id":"' || n || '","type":"grant","entries":[],"accounts":{},"details":{}}')::json
     from generate_series(1, $1::int) as n`,
    [operations],
  );
  await session.query(`select setval('operation_position', $1)`, [operations]);
  repository = PostgresRepository.open(postgresSettings(url, 'under test'), () => undefined);
}, 120_000);

afterAll(async () => {
  await repository.close();
  await session.end();
});

/** What the service sends to the database for some work. */
async function sentBy(work: () => Promise<unknown>): Promise<Sent[]> {
  const spy = vi.spyOn(pg.Client.prototype, 'query');
  try {
    await work();
    // Of the many ways in which `pg` can be called, Kysely has this one.
    const calls = spy.mock.calls as unknown as readonly (readonly [string, (readonly unknown[])?])[];
    return calls.map(([text, values = []]) => ({ text, values }));
  } finally {
    spy.mockRestore();
  }
}

/** What a consumer's turn sends for its page; unlike a follower's it is named, and comes to be planned for all values. */
function consumersPageAt(after: number): Sent {
  return { text: readPage.text, values: [after, operations, limit] };
}

/** What the service sends for a page of the feed. */
async function pageAt(after: number): Promise<Sent> {
  let read = 0;
  const sent = await sentBy(async () => {
    read = (await repository.feed(after, limit)).length;
  });
  expect(read).toBe(Math.min(limit, operations - after));
  const page = sent.find(({ text }) => text.includes('from "operations"'));
  if (page === undefined) throw new Error('a page of the feed was read');
  return page;
}

/** Executes it: planned for its values, as each unnamed statement is, or once for all values, as a named one comes to be. */
async function planOf({ text, values }: Sent, how: 'for its values' | 'for all values'): Promise<PlanNode> {
  const options = 'explain (analyze, buffers, timing off, format json)';
  const explained = async (): Promise<pg.QueryResult> => {
    if (how === 'for its values') return await session.query(`${options} ${text}`, [...values]);
    await session.query('set plan_cache_mode = force_generic_plan');
    await session.query(`prepare feed_page (bigint, bigint, int) as ${text}`);
    return await session.query(`${options} execute feed_page (${values.map(Number).join(', ')})`);
  };
  const { rows } = (await explained()) as { rows: { 'QUERY PLAN': [{ Plan: PlanNode }] }[] };
  await session.query('deallocate all');
  await session.query('reset plan_cache_mode');
  const plan = rows[0]?.['QUERY PLAN'][0].Plan;
  if (plan === undefined) throw new Error('there is a plan');
  return plan;
}

function nodesOf(plan: PlanNode): PlanNode[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
}

function buffersOf(plan: PlanNode): number {
  return plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
}

describe.each(['never analyzed', 'just analyzed'])('a million operations, %s', (statistics) => {
  beforeAll(async () => {
    if (statistics === 'just analyzed') await session.query('analyze operations');
    const { rows } = await session.query<{ analyzed: boolean }>(
      `select reltuples > 0 as analyzed from pg_class where relname = 'operations'`,
    );
    expect(rows).toEqual([{ analyzed: statistics === 'just analyzed' }]);
  });

  describe.each(['for its values', 'for all values'] as const)('planned %s', (how) => {
    const pages = Object.entries(places).flatMap(([place, after]) => [
      { whose: 'a follower', place, after, pageOf: pageAt },
      { whose: 'a consumer', place, after, pageOf: consumersPageAt },
    ]);
    test.each(pages)(
      'a page for $whose at the $place is a short walk along the index',
      async ({ after, pageOf }) => {
        const plan = await planOf(await pageOf(after), how);
        const scans = nodesOf(plan).filter((node) => node['Relation Name'] !== undefined);
        expect(scans).toMatchObject([
          { 'Node Type': 'Index Scan', 'Relation Name': 'operations', 'Index Name': 'operations_position' },
        ]);
        expect(nodesOf(plan).map((node) => node['Node Type'])).not.toContain('Sort');
        expect(plan['Actual Rows']).toBe(Math.min(limit, operations - after));
        expect(buffersOf(plan)).toBeLessThan(buffersMax);
      },
    );
  });

  test('where the feed ends is found without the operations', async () => {
    const statements = await sentBy(async () => await repository.feedEnd());
    expect(statements).toHaveLength(2);
    for (const statement of statements) {
      const plan = await planOf(statement, 'for its values');
      expect(nodesOf(plan).map((node) => node['Relation Name'])).not.toContain('operations');
      expect(buffersOf(plan)).toBeLessThan(10);
    }
  });
});

test('the control: a page without the index would read them all', async () => {
  const page = await pageAt(places.middle);
  await session.query('begin');
  await session.query('drop index operations_position');
  const plan = await planOf(page, 'for its values');
  await session.query('rollback');
  expect(nodesOf(plan).map((node) => node['Node Type'])).toContain('Seq Scan');
  expect(buffersOf(plan)).toBeGreaterThan(10 * buffersMax);
});
