import { describe, expect, test } from 'vitest';
import { DuplicateError } from '../../src/repository/errors.ts';
import type { OperationRecord, Repository } from '../../src/repository/repository.ts';
import { operationRecord } from '../support/operation-records.ts';
import { replicas } from '../support/replicas.ts';
import { onEveryRepository } from '../support/repositories.ts';
import { openAccounts } from '../support/shop.ts';
import { until } from '../support/until.ts';

onEveryRepository((world) => {
  test('the feed shows operations in the order of their commits, and within one save in the order given', async () => {
    const [one, two] = await replicas(world());
    const [a, b, c, d] = [record(), record(), record(), record()];
    await save(one, [a, b]);
    await save(two, [c]);
    await save(one, [d]);
    const items = await two.feed(0, 99);
    expect(items.map(({ receipt }) => receipt)).toEqual([a, b, c, d].map(({ receipt }) => receipt));
    const positions = items.map(({ position }) => position);
    expect(positions).toEqual([...positions].sort((x, y) => x - y));
    expect(new Set(positions).size).toBe(4);
    expect(positions[0]).toBeGreaterThan(0);
  });

  test('it is read page by page, from any position on', async () => {
    const [one] = await replicas(world());
    const records = Array.from({ length: 5 }, record);
    await save(one, records);
    const all = await one.feed(0, 99);
    const second = await one.feed(all[1]?.position ?? NaN, 2);
    expect(second).toEqual(all.slice(2, 4));
    expect(await one.feed(all[4]?.position ?? NaN, 2)).toEqual([]);
  });

  test('its end is known without reading it, and a page is read no further than an end that was given', async () => {
    const [one, two] = await replicas(world());
    const nothing = await one.feedEnd();
    expect(await one.feed(nothing, 99, nothing)).toEqual([]);
    const [before, after] = [record(), record()];
    await save(one, [before]);
    const end = await two.feedEnd();
    await save(two, [after]);
    expect(await two.feedEnd()).toBeGreaterThan(end);
    const items = await one.feed(0, 99, end);
    expect(items).toEqual([{ position: end, receipt: before.receipt }]);
    expect(await one.feed(end, 99)).toMatchObject([{ receipt: after.receipt }]);
  });

  describe('while an operation that was numbered is not committed', () => {
    test('none after it are shown, and once it is they come in their order', async () => {
      const [one, two] = await replicas(world());
      await openAccounts(one, ['p1']);
      const before = record();
      await save(two, [before]);
      const letGo = await world().stallCommits('one');
      const [slow, fast] = [withEntry(), record()];
      const stuck = save(one, [slow]);
      await until('the commit is stuck', () => world().isStalled('one'));
      await save(two, [fast]);
      expect(await receipts(two)).toEqual([before.receipt]);
      const [{ position } = { position: NaN }] = await two.feed(0, 1);
      expect(await two.feedEnd()).toBe(position);
      expect(await two.operation(fast.id)).toBeDefined();
      await letGo();
      await stuck;
      expect(await receipts(two)).toEqual([before.receipt, slow.receipt, fast.receipt]);
    });

    test('and then fails, those after it are shown without it', async () => {
      const [one, two] = await replicas(world());
      await openAccounts(one, ['p1']);
      const earlier = withEntry();
      await save(one, [earlier]);
      const letGo = await world().stallCommits('one');
      const failing = expect(save(one, [withEntry()])).rejects.toThrow(DuplicateError);
      await until('the commit is stuck', () => world().isStalled('one'));
      const fast = record();
      await save(two, [fast]);
      expect(await receipts(two)).toEqual([earlier.receipt]);
      await letGo();
      await failing;
      expect(await receipts(two)).toEqual([earlier.receipt, fast.receipt]);
    });
  });

  test('a follower of many writers, some of whom give up, misses nothing and sees nothing twice or out of order', async () => {
    const [one, two, three] = await replicas(world());
    const accounts = Array.from({ length: 6 }, (_, i) => `p${i}`);
    await openAccounts(one, accounts);
    const orders = new Map<string, string[]>(accounts.map((account) => [account, []]));
    const write = async (repository: Repository, account: string, i: number): Promise<void> => {
      const operation = record({ home: account, receipt: JSON.stringify({ account, i }) });
      await repository
        .transaction(async (tx) => {
          await tx.lockAccounts([account]);
          tx.save({ operations: [operation] });
          // A third of them are numbered, and then fail for a key that is taken.
          if (i % 3 === 0) tx.save({ operations: [record(), { ...operation, id: record().id }] });
          else orders.get(account)?.push(operation.receipt);
        })
        .catch((error: unknown) => {
          if (!(error instanceof DuplicateError)) throw error;
        });
    };
    let writing = true;
    const follow = async (): Promise<string[]> => {
      const seen: string[] = [];
      for (let after = 0; ;) {
        const last = !writing;
        const items = await three.feed(after, 7);
        seen.push(...items.map(({ receipt }) => receipt));
        after = items.at(-1)?.position ?? after;
        if (last && items.length === 0) return seen;
        await new Promise(setImmediate);
      }
    };
    const following = follow();
    const writers = Array.from({ length: 180 }, (_, i) =>
      write(i % 2 === 0 ? one : two, accounts[(i * 7) % 6] ?? '', i),
    );
    await Promise.all(writers);
    writing = false;
    const seen = await following;
    expect(seen).toHaveLength(120);
    for (const account of accounts) {
      const own = seen.filter((receipt) => receipt.includes(`"${account}"`));
      expect(own).toEqual(orders.get(account));
    }
  });
});

function record(rest: Partial<OperationRecord> = {}): OperationRecord {
  return operationRecord('/listings/sale', rest);
}

/** Always the same entry: a second one of these can't be kept. */
function withEntry(): OperationRecord {
  return record({ entries: [{ account: 'p1', asset: 'gold', version: 1, delta: 1, balance: 1 }] });
}

async function save(repository: Repository, operations: readonly OperationRecord[]): Promise<void> {
  await repository.transaction(async (tx) => {
    await tx.lockAccounts(operations.flatMap(({ entries }) => entries.map(({ account }) => account)));
    tx.save({ operations });
  });
}

async function receipts(repository: Repository): Promise<string[]> {
  return (await repository.feed(0, 99)).map(({ receipt }) => receipt);
}
