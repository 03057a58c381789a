import { expect, test } from 'vitest';
import type { Repository } from '../../src/repository/repository.ts';
import { Gate } from '../support/gate.ts';
import { onEveryRepository } from '../support/repositories.ts';

const writers = 8;
const incrementsEach = 10;

onEveryRepository((world) => {
  test('no update of a locked row is lost, however many transactions want it at once', async () => {
    expect(await incrementAtOnce(world().replica('one'))).toBe(writers * incrementsEach);
  });

  // Without this the test above would prove nothing: the same work loses updates where nothing is locked.
  test('negative control: updates of a row that is not locked are lost', async () => {
    expect(await incrementAtOnce(world().unlocked())).toBeLessThan(writers * incrementsEach);
  });
});

/** Reads, adds one and writes, from many writers that start together; answers what it came to. */
async function incrementAtOnce(repository: Pick<Repository, 'transaction'>): Promise<number> {
  const key = { account: 'p1', asset: 'gold' };
  await repository.transaction(async (tx) => {
    await Promise.all([tx.ensureAccounts(['p1']), tx.lockAccounts(['p1'])]);
    tx.save({ holdings: [{ ...key, quantity: 0, reserved: 0 }] });
  });
  const start = new Gate();
  const increment = async (): Promise<void> => {
    await repository.transaction(async (tx) => {
      const [, [holding]] = await Promise.all([tx.lockAccounts(['p1']), tx.holdings([key])]);
      if (holding === undefined) throw new Error('the holding has gone');
      tx.save({ holdings: [{ ...holding, quantity: holding.quantity + 1 }] });
    });
  };
  const write = async (): Promise<void> => {
    await start.opened;
    for (let i = 0; i < incrementsEach; i += 1) await increment();
  };
  const all = Array.from({ length: writers }, write);
  start.open();
  await Promise.all(all);
  const [holding] = await repository.transaction((tx) => tx.holdings([key]));
  return holding?.quantity ?? 0;
}
