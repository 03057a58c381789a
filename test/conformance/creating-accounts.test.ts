import { expect, test } from 'vitest';
import { hold } from '../support/held-transaction.ts';
import { replicas, waiting } from '../support/replicas.ts';
import { onEveryRepository } from '../support/repositories.ts';
import { openAccounts } from '../support/shop.ts';

onEveryRepository((world) => {
  test('an account that does not exist is not locked: two transactions have it at once', async () => {
    const [one, two] = await replicas(world());
    const first = await hold(one, async (tx) => {
      expect(await tx.lockAccounts(['none'])).toEqual([]);
      expect(await tx.lockStock(['none'])).toEqual([]);
    });
    await two.transaction(async (tx) => {
      expect(await tx.lockAccounts(['none'])).toEqual([]);
      expect(await tx.lockStock(['none'])).toEqual([]);
    });
    await first.commit();
  });

  test('ensured, then locked: of two creators the second waits, and finds what the first made of it', async () => {
    const [one, two] = await replicas(world());
    const first = await hold(one, async (tx) => {
      const [, [account]] = await Promise.all([tx.ensureAccounts(['new']), tx.lockAccounts(['new'])]);
      expect(account).toMatchObject({ id: 'new', version: 0, declared: false });
      if (account !== undefined) tx.save({ accounts: [{ ...account, version: 1 }] });
    });
    const second = two.transaction(async (tx) => {
      const [, accounts] = await Promise.all([tx.ensureAccounts(['new']), tx.lockAccounts(['new'])]);
      return accounts;
    });
    await waiting(world(), 'two', 'one');
    await first.commit();
    expect(await second).toMatchObject([{ id: 'new', version: 1 }]);
  });

  test('when the first creator gives up, the second has the account to itself', async () => {
    const [one, two, three] = await replicas(world());
    const first = await hold(one, (tx) => tx.ensureAccounts(['new']));
    const second = hold(two, async (tx) => {
      const [, accounts] = await Promise.all([tx.ensureAccounts(['new']), tx.lockAccounts(['new'])]);
      expect(accounts).toMatchObject([{ id: 'new', version: 0 }]);
    });
    await waiting(world(), 'two', 'one');
    await first.rollBack();
    // Not before it has the account: otherwise the third might be the first.
    const holder = await second;
    const third = three.transaction((tx) => tx.ensureAccounts(['new']));
    await waiting(world(), 'three', 'two');
    await holder.commit();
    await third;
  });

  test('an account that someone else has only just ensured is not there for others, and waited for by none', async () => {
    const [one, two] = await replicas(world());
    const first = await hold(one, (tx) => tx.ensureAccounts(['new']));
    await two.transaction(async (tx) => {
      expect(await tx.lockAccounts(['new'])).toEqual([]);
      expect(await tx.lockFreeAccounts(['new'])).toEqual({ accounts: [], taken: [] });
    });
    await first.commit();
    const locked = await two.transaction((tx) => tx.lockAccounts(['new']));
    expect(locked).toMatchObject([{ id: 'new', version: 0, declared: false }]);
  });

  test('accounts are ensured in the order of ids, whatever the order asked for', async () => {
    const [one, two, three] = await replicas(world());
    const stranger = await hold(one, (tx) => tx.ensureAccounts(['b']));
    const waiter = two.transaction((tx) => tx.ensureAccounts(['c', 'b', 'a']));
    await waiting(world(), 'two', 'one');
    // It has come as far as `b`: `c` is not inserted yet, and `a` is.
    await three.transaction((tx) => tx.ensureAccounts(['c']));
    const after = three.transaction((tx) => tx.ensureAccounts(['a']));
    await waiting(world(), 'three', 'two');
    await stranger.commit();
    await Promise.all([waiter, after]);
  });

  test('ensuring an account that is there waits for nobody, and changes nothing', async () => {
    const [one, two] = await replicas(world());
    await openAccounts(one, ['p1']);
    const first = await hold(one, (tx) => tx.lockAccounts(['p1']));
    await two.transaction((tx) => tx.ensureAccounts(['p1', 'p1', 'p2']));
    await first.rollBack();
    const [account] = await two.transaction((tx) => tx.lockAccounts(['p1']));
    expect(account).toMatchObject({ declared: true });
  });
});
