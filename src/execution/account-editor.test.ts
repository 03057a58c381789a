import { describe, expect, test } from 'vitest';
import { executorSettings, startExecutor } from '../../test/support/executors.ts';
import { FaultyRepository, type Fault } from '../../test/support/faulty-repository.ts';
import { replicas } from '../../test/support/replicas.ts';
import { onEveryRepository } from '../../test/support/repositories.ts';
import { granting, request } from '../../test/support/requests.ts';
import { gold, stockShop } from '../../test/support/shop.ts';
import { ConflictError, UnavailableError } from '../repository/errors.ts';
import { MemoryRepository } from '../repository/memory/memory-repository.ts';
import { AccountEditor } from './account-editor.ts';

const { backoff } = executorSettings;

onEveryRepository((world) => {
  test('it creates an account, and then changes it, version and holdings left as they are', async () => {
    const [one] = await replicas(world());
    await stockShop(one, { assets: [gold] });
    const editor = new AccountEditor({ repository: one, backoff });
    expect(await editor.put('p1', { capacity: null, properties: { name: 'Ann' } })).toEqual({
      profile: { id: 'p1', version: 0, capacity: null, properties: { name: 'Ann' } },
      created: true,
    });
    await startExecutor(one).executor.execute(request(granting('p1', { gold: 5 })));
    expect(await editor.put('p1', { capacity: 3, properties: {} })).toEqual({
      profile: { id: 'p1', version: 1, capacity: 3, properties: {} },
      created: false,
    });
    expect(await one.account('p1')).toEqual({ id: 'p1', version: 1, capacity: 3, properties: {} });
    expect((await one.inventory('p1', { after: null, limit: 9 }))?.holdings).toMatchObject([
      { asset: 'gold', quantity: 5 },
    ]);
  });

  test('an account that an operation brought into being was not created by it', async () => {
    const [one] = await replicas(world());
    await stockShop(one, { assets: [gold] });
    await startExecutor(one).executor.execute(request(granting('p1', { gold: 5 })));
    const editor = new AccountEditor({ repository: one, backoff });
    expect(await editor.put('p1', { capacity: null, properties: {} })).toMatchObject({ created: false });
  });

  test('of many who put the same account at once, one created it', async () => {
    const [one, two, three] = await replicas(world());
    const puts = [one, two, three, one, two, three].map((repository, capacity) =>
      new AccountEditor({ repository, backoff }).put('p1', { capacity, properties: {} }),
    );
    const created = (await Promise.all(puts)).filter((put) => put.created);
    expect(created).toHaveLength(1);
  });
});

describe('what fails', () => {
  const failing = (faults: Fault[]) => {
    const repository = new MemoryRepository();
    const faulty = new FaultyRepository({ repository, nextFault: () => faults.shift() });
    return { repository, editor: new AccountEditor({ repository: faulty, backoff }) };
  };

  test('and may pass is tried again, also where nobody knows whether it was kept', async () => {
    const { repository, editor } = failing([
      { kind: 'fails', error: new ConflictError('a fault: deadlock') },
      { kind: 'unavailable' },
      { kind: 'commit kept' },
    ]);
    await editor.put('p1', { capacity: 4, properties: {} });
    expect(await repository.account('p1')).toMatchObject({ capacity: 4 });
  });

  test('for too long is told', async () => {
    const { repository, editor } = failing(
      Array.from({ length: backoff.retries + 1 }, () => ({ kind: 'unavailable' })),
    );
    await expect(editor.put('p1', { capacity: 4, properties: {} })).rejects.toThrow(UnavailableError);
    expect(await repository.account('p1')).toBeUndefined();
  });
});
