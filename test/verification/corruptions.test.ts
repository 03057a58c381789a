import { beforeAll, describe, expect, test } from 'vitest';
import { discrepancyKinds, type Discrepancy } from '../../src/domain/verification.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { query } from '../support/query.ts';
import { makeSoundLedger } from '../support/sound-ledger.ts';
import { verifyDatabase } from '../support/verifying.ts';
import { corruptions, type Finding, type Ids } from './corruptions.ts';

let sound: TestDatabase;
let ids: Ids;

beforeAll(async () => {
  sound = await createTestDatabase();
  const made = await makeSoundLedger(sound);
  ids = Object.fromEntries(Object.entries(made).map(([name, { id }]) => [name, id])) as Ids;
});

test.each([1, 2, 3, 10, 1000])('nothing is wrong with the ledger, read in pages of %i', async (pageRows) => {
  const database = await createTestDatabase(sound);
  const { counts, discrepancies } = await verifyDatabase(database.url, { pageRows });
  expect(discrepancies).toEqual([]);
  // Of the accounts, "never" was only ensured for a transfer that was rejected.
  expect(counts).toEqual({
    accounts: 7,
    holdings: 12,
    entries: 33,
    operations: 22,
    listings: 5,
    purchaseCounts: 4,
  });
});

test('nothing is wrong with an empty ledger', async () => {
  const { counts, discrepancyCount } = await verifyDatabase((await createTestDatabase()).url);
  expect(discrepancyCount).toBe(0);
  expect(new Set(Object.values(counts))).toEqual(new Set([0]));
});

describe.concurrent('is found exactly that', () => {
  test.each(corruptions)('$name', async ({ sql, found }) => {
    const database = await createTestDatabase(sound);
    await query(database.url, sql(ids));
    // With a page size at which everything is cut somewhere, and with one at which nothing is.
    for (const pageRows of [3, 1000]) {
      const { discrepancies, discrepancyCount } = await verifyDatabase(database.url, { pageRows });
      const expected = [...found(ids)].sort(byPlace);
      expect([...discrepancies].sort(byPlace), `in pages of ${pageRows}`).toEqual(
        expected.map((finding) => expect.objectContaining(finding) as Discrepancy),
      );
      expect(discrepancyCount).toBe(expected.length);
    }
    await database.drop();
  });
});

test('there is a corruption for each kind of discrepancy', () => {
  const kinds = new Set(corruptions.flatMap(({ found }) => found(ids).map(({ kind }) => kind)));
  expect([...kinds].sort()).toEqual(Object.keys(discrepancyKinds).sort());
});

function byPlace(a: Finding, b: Finding): number {
  const nameOf = ({ kind, where }: Finding): string => {
    const { account = '', asset = '', version = 0, operation = '', listing = '' } = where;
    return [kind, listing, account, asset, version, operation].join(' ');
  };
  return nameOf(a) < nameOf(b) ? -1 : 1;
}
