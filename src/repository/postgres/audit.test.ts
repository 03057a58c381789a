import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase } from '../../../test/support/database.ts';
import { postgresSettings } from '../../../test/support/repositories.ts';
import { feedStart, justAfter, startOf, type Snapshot } from '../audit.ts';
import * as statements from './audit-statements.ts';
import { PostgresRepository } from './repository.ts';

const { signal } = new AbortController();
const accountCount = 5000;
const operationCount = 20_000;
const limit = 100;

let url: string;
let repository: PostgresRepository;
let connection: pg.Client;

/** Rows enough that reading a table as a whole, for one page, stands out. What they say does not matter. */
beforeAll(async () => {
  ({ url } = await createTestDatabase());
  connection = new pg.Client({ connectionString: url });
  await connection.connect();
  await connection.query(`
    insert into accounts (id, bucket, version)
      select 'p' || i, i % 256, 4 from generate_series(1, ${accountCount}) as i;
    insert into operations (id, bucket, position, home, type, at, actor, receipt)
      select md5(i::text)::uuid, i % 256, i, 'p' || (i % ${accountCount} + 1), 'grant', now(), 'key:test', '{}'
      from generate_series(1, ${operationCount}) as i;
    insert into entries
      select 'p' || (i % ${accountCount} + 1), i / ${accountCount} + 1, asset, i % 256, md5(i::text)::uuid,
        'grant', now(), 1, 1
      from generate_series(0, ${operationCount - 1}) as i, unnest('{gold,sword}'::text[]) as asset;
    insert into holdings
      select 'p' || i, asset, i % 256, 4 from generate_series(1, ${accountCount}) as i,
        unnest('{gold,sword}'::text[]) as asset;
    insert into purchase_counts
      select 'p' || i, 'sale', i % 256, 1, now() from generate_series(1, ${accountCount}) as i;
    insert into listings (id, price, goods, limited)
      select 'l' || i, '[]', '[]', true from generate_series(1, ${accountCount}) as i;
    insert into stock select 'l' || i, 1, 0, 1, now() from generate_series(1, ${accountCount}) as i;
    insert into assets select 'a' || i, 'an asset', 'item', null, true, null, '{}', '{}'
      from generate_series(1, 1000) as i`);
  repository = PostgresRepository.open(postgresSettings(url, 'audit'), () => undefined);
});

afterAll(async () => {
  await repository.close();
  await connection.end();
});

/** A page of each from the middle of its table. */
const pages: readonly (readonly [name: keyof typeof statements, values: readonly unknown[]])[] = [
  ['operations', [10_000, feedStart.id, feedStart.bucket, null, limit]],
  ['operations', [10_000, feedStart.id, feedStart.bucket, 19_000, limit]],
  ['stockLines', [10_000, feedStart.id, feedStart.bucket, 19_000, limit]],
  ['entries', ['p3', 0, '', -1, limit]],
  ['lastVersion', ['p777']],
  ['entriesAt', [names(limit), names(limit).map(() => 2), names(limit).map(() => 3)]],
  ['accounts', ['p3', -1, null, limit]],
  ['accounts', ['p3', -1, 'p4', limit]],
  ['holdings', ['p3', '', -1, null, limit]],
  ['holdings', ['p3', '', -1, 'p4', limit]],
  ['purchaseCounts', ['p3', '', -1, null, limit]],
  ['purchaseCounts', ['p3', '', -1, 'p4', limit]],
  ['stock', ['l3', limit]],
  ['listings', ['l3', limit]],
];

describe.each([
  { when: 'without statistics', prepare: 'delete from pg_statistic' },
  { when: 'with statistics', prepare: 'analyze' },
])('$when', ({ prepare }) => {
  beforeAll(async () => {
    await connection.query(prepare);
  });

  test.each(pages)('a page of %s reads no more than the page, by an index', async (name, values) => {
    const text = statements[name];
    if (typeof text !== 'string') throw new Error(`${name} is no statement`);
    expect(await readBy(text, values)).toEqual({ scans: ['Index Scan'], others: [], wasteful: [] });
  });

  test('operations are looked up one by one, by an index', async () => {
    const ids = await connection.query<{ id: string }>(`select id from operations limit ${limit}`);
    const { scans, wasteful } = await readBy(statements.operationsById, [ids.rows.map(({ id }) => id)]);
    expect({ scans, wasteful }).toEqual({ scans: ['Index Scan'], wasteful: [] });
  });
});

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly PlanNode[];
}

/** How the audit would read this: the scans of tables, nodes that read all that is below them, and scans of too many rows. */
async function readBy(
  text: string,
  values: readonly unknown[],
): Promise<{ scans: string[]; others: string[]; wasteful: string[] }> {
  await connection.query(`begin isolation level repeatable read read only;
    ${statements.settings({ statementTimeoutMs: 10_000, idleTimeoutMs: 10_000 })}`);
  const { rows } = await connection.query<{ 'QUERY PLAN': readonly { Plan: PlanNode }[] }>(
    `explain (analyze, format json) ${text}`,
    [...values],
  );
  await connection.query('rollback');
  const nodes = rows.flatMap((row) => row['QUERY PLAN']).flatMap(({ Plan }) => withAllBelow(Plan));
  const ofTables = nodes.filter(({ 'Node Type': type }) => /Scan$/.test(type) && type !== 'Function Scan');
  const rowsOf = (node: PlanNode): number =>
    (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'];
  return {
    scans: [...new Set(ofTables.map((node) => node['Node Type'].replace('Index Only Scan', 'Index Scan')))],
    others: nodes.map((node) => node['Node Type']).filter((type) => /^(Sort|Hash|Materialize)/.test(type)),
    wasteful: ofTables.filter((node) => rowsOf(node) > 3 * limit).map((node) => JSON.stringify(node)),
  };
}

function withAllBelow(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(withAllBelow)];
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `p${i + 1}`);
}

describe('what is read', () => {
  const snapshot = async <Result>(work: (snapshot: Snapshot) => Promise<Result>): Promise<Result> =>
    await repository.audit.snapshot(work, signal);

  test('entries go on where the page before ended, until there are none', async () => {
    const keys: string[] = [];
    for (let after = startOf(''); ;) {
      const page = await snapshot(async (reads) => await reads.entries(after, 7_001));
      keys.push(...page.map(({ account, version, asset }) => `${account} ${version} ${asset}`));
      const last = page.at(-1);
      if (last === undefined) break;
      after = { ...after, ...last };
    }
    expect(new Set(keys).size).toBe(2 * operationCount);
    expect(keys).toHaveLength(2 * operationCount);
  });

  test('the rows of accounts begin with one, and end before another', async () => {
    const read = await snapshot(async (reads) => {
      const accounts = await reads.accounts(startOf('p4998'), justAfter('p5'), 99);
      const holdings = await reads.holdings(startOf('p5'), justAfter('p5'), 99);
      const counts = await reads.purchaseCounts(startOf('p5'), 'p50', 99);
      return { accounts, holdings, counts };
    });
    expect(read.accounts.map(({ account }) => account)).toEqual(['p4998', 'p4999', 'p5']);
    expect(read.holdings).toMatchObject([
      { account: 'p5', asset: 'gold', quantity: 4, reserved: 0, kind: null },
      { account: 'p5', asset: 'sword' },
    ]);
    expect(read.counts).toMatchObject([{ account: 'p5', listing: 'sale', count: 1 }]);
  });

  test('operations of one position are all read, whatever the page ends with', async () => {
    await connection.query('update operations set position = 500 where position between 500 and 505');
    const positions: number[] = [];
    for (let after = { ...feedStart, position: 490 }; ;) {
      const page = await snapshot(async (reads) => await reads.operations(after, 510, 2));
      positions.push(...page.map(({ position }) => position));
      const last = page.at(-1);
      if (last === undefined) break;
      after = { ...last };
    }
    expect(positions).toEqual([
      ...Array.from({ length: 10 }, (_, i) => 490 + i),
      ...Array.from({ length: 6 }, () => 500),
      ...Array.from({ length: 5 }, (_, i) => 506 + i),
    ]);
  });

  test('all reads of a snapshot answer from one moment', async () => {
    const [before, after] = await snapshot(async (reads) => {
      const first = await reads.accounts(startOf('p1'), justAfter('p1'), 1);
      await connection.query(`update accounts set version = version + 1 where id = 'p1'`);
      return [first, await reads.accounts(startOf('p1'), justAfter('p1'), 1)];
    });
    expect(after).toEqual(before);
  });

  test('a snapshot can write nothing, and a failure in it is translated', async () => {
    const reading = snapshot(async (reads) => await reads.operationsById(['no uuid']));
    await expect(reading).rejects.toMatchObject({ name: 'ConstraintError' });
    expect(await snapshot(async (reads) => await reads.lastVersion('p9'))).toBe(4);
    expect(await snapshot(async (reads) => await reads.lastVersion('nobody'))).toBe(0);
  });

  test('the number of entries is estimated well enough, with statistics and without', async () => {
    await connection.query('analyze entries');
    const analyzed = await repository.audit.estimatedEntries();
    await connection.query(`update pg_class set reltuples = -1 where oid = 'entries'::regclass`);
    const guessed = await repository.audit.estimatedEntries();
    for (const estimate of [analyzed, guessed]) {
      expect(estimate).toBeGreaterThan(operationCount);
      expect(estimate).toBeLessThan(4 * operationCount);
    }
  });
});
