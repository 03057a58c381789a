import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CatalogEditor } from '../../src/execution/catalog-editor.ts';
import { PostgresRepository } from '../../src/repository/postgres/repository.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { executorSettings, startExecutor, wordFor } from '../support/executors.ts';
import { query } from '../support/query.ts';
import { postgresSettings } from '../support/repositories.ts';
import { granting, request, type Amounts } from '../support/requests.ts';
import { asset } from '../support/shop.ts';
import { verifierOf } from '../support/verifying.ts';
import { RecordingAudit } from './recording-audit.ts';

const { signal } = new AbortController();
const pageRows = 10;
const assets = Array.from({ length: 25 }, (_, i) => `asset-${String(i).padStart(2, '0')}`);
const versions = 120;

let template: TestDatabase;
let database: TestDatabase;
let repository: PostgresRepository;

/** One account with far more entries, and more holdings, than a page has rows; and one on either side of it. */
beforeAll(async () => {
  template = await createTestDatabase();
  const writing = PostgresRepository.open(postgresSettings(template.url, 'writer'), () => undefined);
  const catalog = new CatalogEditor({ repository: writing, backoff: executorSettings.backoff });
  for (const id of assets) await catalog.putAsset(asset(id, { kind: 'item' }));
  const { executor } = startExecutor(writing);
  const give = async (account: string, amounts: Amounts): Promise<void> => {
    expect(await wordFor(executor.execute(request(granting(account, amounts))))).toBe('done');
  };
  await give('a', { 'asset-00': 1 });
  for (let i = 0; i < versions; i += 1) {
    const [one = '', other = ''] = [assets[i % assets.length], assets[(i * 7 + 3) % assets.length]];
    await give('long', { [one]: 1, [other]: 2 });
  }
  await give('z', { 'asset-00': 1, 'asset-01': 1 });
  await executor.drain();
  await writing.close();
});

beforeEach(async () => {
  database = await createTestDatabase(template);
  repository = PostgresRepository.open(postgresSettings(database.url, 'verifier'), () => undefined);
});

afterEach(async () => {
  await repository.close();
});

afterAll(async () => await template.drop());

test('an account longer than a page is read over several snapshots, and nothing is wrong with it', async () => {
  const audit = new RecordingAudit(repository.audit);
  const { counts, discrepancies } = await verifierOf(audit, { pageRows }).verify({ signal });
  expect(discrepancies).toEqual([]);
  const { rows } = await query(database.url, 'select count(*)::int as count from entries');
  expect(counts).toMatchObject({ accounts: 3, holdings: 28, entries: rows[0]?.['count'], operations: 122 });
  const pages = audit.reads.filter(({ what }) => what === 'entries').length;
  expect(pages).toBeGreaterThan(20);
});

test('no read answers more rows than a page has, and no snapshot lasts for more than a few reads', async () => {
  const audit = new RecordingAudit(repository.audit);
  await verifierOf(audit, { pageRows }).verify({ signal });
  expect(Math.max(...audit.reads.map(({ rows }) => rows))).toBe(pageRows);
  // The account alone has 25 holdings, which are read in one snapshot: three pages of them.
  expect(Math.max(...audit.readsPerSnapshot)).toBeLessThanOrEqual(8);
});

describe('what is wrong in the middle of it is found in its place', () => {
  test.each([1, 2, 5, 6, 60, 119, 120])('at version %i', async (version) => {
    await query(
      database.url,
      `update entries set delta = delta + 1 where account = 'long' and version = $1`,
      [version],
    );
    const { discrepancies } = await verifierOf(repository.audit, { pageRows }).verify({ signal });
    const places = (kind: string) =>
      discrepancies
        .filter((found) => found.kind === kind)
        .map(({ where }) => ({ account: where.account, version: where.version }));
    const here = { account: 'long', version };
    const lines = places('entry_differs').length;
    expect(lines).toBeGreaterThan(0);
    expect(places('entry_differs')).toEqual(Array.from({ length: lines }, () => here));
    expect(places('entry_balance')).toEqual(Array.from({ length: lines }, () => here));
    expect(places('holding_sum')).toHaveLength(lines);
    expect(discrepancies).toHaveLength(3 * lines);
  });

  test('also a version that is missing where a page ends', async () => {
    for (let version = 30; version < 40; version += 1) {
      const clone = await createTestDatabase(template);
      await query(clone.url, `update entries set version = 1000 where account = 'long' and version = $1`, [
        version,
      ]);
      const reading = PostgresRepository.open(postgresSettings(clone.url, 'verifier'), () => undefined);
      const { discrepancies } = await verifierOf(reading.audit, { pageRows }).verify({ signal });
      await reading.close();
      const gaps = discrepancies.filter(({ kind }) => kind === 'version_gap');
      expect(gaps.map(({ found }) => found)).toEqual([version + 1, 1000]);
    }
  });
});

test('one that grows faster than it is read comes to an end, and is not found wrong', async () => {
  const { executor } = startExecutor(repository);
  let grown = 0;
  const audit = new RecordingAudit(repository.audit, async () => {
    // Twelve entries for every ten that a page reads.
    for (let i = 0; i < 6; i += 1) {
      await wordFor(executor.execute(request(granting('long', { 'asset-00': 1, 'asset-24': 1 }))));
      grown += 1;
    }
  });
  const { discrepancies } = await verifierOf(audit, { pageRows }).verify({ signal });
  expect(discrepancies).toEqual([]);
  expect(grown).toBeGreaterThan(200);
  await executor.drain();
});

test('however much is wrong, the list of it is bounded, and all of it is counted', async () => {
  await query(database.url, `update entries set type = 'gift'`);
  const { counts, discrepancies, discrepancyCount } = await verifierOf(repository.audit, {
    pageRows,
    discrepanciesMax: 7,
  }).verify({ signal });
  expect(discrepancies).toHaveLength(7);
  expect(discrepancyCount).toBe(counts.entries);
});

describe('when it is aborted', () => {
  test('it throws the reason, and reads nothing more', async () => {
    const abort = new AbortController();
    const reason = new Error('enough');
    const audit = new RecordingAudit(repository.audit, (snapshots) => {
      if (snapshots === 5) abort.abort(reason);
      return Promise.resolve();
    });
    const verifying = verifierOf(audit, { pageRows }).verify({ signal: abort.signal });
    await expect(verifying).rejects.toBe(reason);
    expect(audit.readsPerSnapshot).toHaveLength(5);
    // Its connection was given back: the pool has two.
    await Promise.all(Array.from({ length: 4 }, () => repository.ping()));
  });

  test('in the middle of a snapshot, it does not wait for the end of that', async () => {
    const abort = new AbortController();
    const reading = repository.audit.snapshot(async (snapshot) => {
      await snapshot.lastPosition();
      abort.abort(new Error('enough'));
      await snapshot.lastPosition();
    }, abort.signal);
    await expect(reading).rejects.toThrow('enough');
  });

  test('while it rests, it does not wait for the end of that', async () => {
    const abort = new AbortController();
    const verifying = verifierOf(repository.audit, { pauseMs: 60_000 }).verify({ signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(verifying).rejects.toThrow('enough');
  });

  test('before it began, it reads nothing', async () => {
    const audit = new RecordingAudit(repository.audit);
    const verifying = verifierOf(audit).verify({ signal: AbortSignal.abort(new Error('enough')) });
    await expect(verifying).rejects.toThrow('enough');
    expect(audit.reads).toEqual([]);
  });
});

test('progress goes from nothing to all, through every check', async () => {
  const told: { fraction: number; what: string }[] = [];
  await verifierOf(repository.audit, { pageRows }).verify({
    signal,
    onProgress: (fraction, what) => told.push({ fraction, what }),
  });
  const fractions = told.map(({ fraction }) => fraction);
  expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
  expect(fractions.every((fraction) => fraction > 0 && fraction <= 1)).toBe(true);
  expect([...new Set(told.map(({ what }) => what))]).toEqual(['operations', 'stock', 'accounts']);
});
