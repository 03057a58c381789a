import { describe, expect, test } from 'vitest';
import { ConflictError, LockTimeoutError } from '../errors.ts';
import { LockTable, type LockOwner } from './lock-table.ts';

const patience = { waitMs: 60_000, rows: 'accounts' } as const;

function owners(...names: string[]): LockOwner[] {
  return names.map((name) => ({ name }));
}

/** Starts a wait and notes its end. */
function waiting(
  table: LockTable,
  owner: LockOwner | undefined,
  row: string,
  log: string[],
): Promise<number> {
  if (owner === undefined) throw new Error('nobody waits');
  return table.acquire(owner, row, patience).then(
    () => log.push(`${owner.name} has ${row}`),
    (error: unknown) => log.push(`${owner.name}: ${error instanceof Error ? error.name : 'no error'}`),
  );
}

describe('a lock table', () => {
  test('gives a row to those who wait for it in the order in which they came', async () => {
    const [a, b, c] = owners('a', 'b', 'c');
    if (a === undefined || b === undefined) throw new Error('three owners');
    const table = new LockTable();
    const log: string[] = [];
    await table.acquire(a, 'row', patience);
    const waits = [waiting(table, b, 'row', log), waiting(table, c, 'row', log)];
    expect(table.waits()).toEqual([
      { waiter: 'b', holder: 'a', row: 'row' },
      { waiter: 'c', holder: 'a', row: 'row' },
    ]);
    table.releaseAll(a);
    // At this very moment it is the next one's: nobody can come in between.
    expect(table.tryAcquire(a, 'row')).toBe(false);
    expect(table.holds(b, 'row')).toBe(true);
    expect(table.waits()).toEqual([{ waiter: 'c', holder: 'b', row: 'row' }]);
    table.releaseAll(b);
    await Promise.all(waits);
    expect(log).toEqual(['b has row', 'c has row']);
  });

  test('lets a wait that ran out leave the queue, and names what was waited for', async () => {
    const [a, b, c] = owners('a', 'b', 'c');
    if (a === undefined || b === undefined || c === undefined) throw new Error('three owners');
    const table = new LockTable();
    await table.acquire(a, 'row', patience);
    const impatient = table.acquire(b, 'row', { waitMs: 1, rows: 'stock' });
    await expect(impatient).rejects.toThrow(LockTimeoutError);
    await expect(impatient).rejects.toMatchObject({ rows: 'stock' });
    expect(table.waits()).toEqual([]);
    table.releaseAll(a);
    expect(table.tryAcquire(c, 'row')).toBe(true);
  });

  test('breaks a cycle of three when it closes, by failing the one that has waited longest', async () => {
    const [a, b, c, outsider] = owners('a', 'b', 'c', 'outsider');
    if (a === undefined || b === undefined || c === undefined) throw new Error('three owners');
    const table = new LockTable();
    const log: string[] = [];
    await table.acquire(a, 'A', patience);
    await table.acquire(b, 'B', patience);
    await table.acquire(c, 'C', patience);
    // It has waited longest of all, but is in no one's way.
    const outside = waiting(table, outsider, 'A', log);
    const second = waiting(table, b, 'C', log);
    const first = waiting(table, a, 'B', log);
    expect(log).toEqual([]);
    const closing = waiting(table, c, 'A', log);
    await second;
    expect(log).toEqual(['b: ConflictError']);
    // Its locks are its own until it has ended; then the others get through.
    table.releaseAll(b);
    await first;
    table.releaseAll(a);
    await outside;
    if (outsider !== undefined) table.releaseAll(outsider);
    await closing;
    expect(log).toEqual(['b: ConflictError', 'a has B', 'outsider has A', 'c has A']);
    expect(new ConflictError('deadlock detected')).toBeInstanceOf(Error);
  });

  test('lets nobody give up what is not theirs', async () => {
    const [a, b] = owners('a', 'b');
    if (a === undefined || b === undefined) throw new Error('two owners');
    const table = new LockTable();
    await table.acquire(a, 'row', patience);
    expect(() => table.release(b, 'row')).toThrow('b does not hold row');
    expect(table.holds(a, 'row')).toBe(true);
  });
});
