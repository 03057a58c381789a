import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestDatabase } from '../../../test/support/database.ts';
import { Gate } from '../../../test/support/gate.ts';
import { hold } from '../../../test/support/held-transaction.ts';
import { query } from '../../../test/support/query.ts';
import { postgresSettings } from '../../../test/support/repositories.ts';
import { openAccounts } from '../../../test/support/shop.ts';
import { TcpProxy } from '../../../test/support/tcp-proxy.ts';
import { until } from '../../../test/support/until.ts';
import { OutcomeUnknownError, UnavailableError } from '../errors.ts';
import type { Tx } from '../repository.ts';
import { PostgresRepository, type PostgresSettings } from './repository.ts';

let url: string;
let proxy: TcpProxy;
let direct: PostgresRepository;
let opened: PostgresRepository[];

const fiveGold = { account: 'p1', asset: 'gold', quantity: 5, reserved: 0 };

beforeEach(async () => {
  ({ url } = await createTestDatabase());
  proxy = await TcpProxy.before(url);
  opened = [];
  direct = open({ connectionString: url, applicationName: 'direct' });
  await openAccounts(direct, ['p1']);
});

afterEach(async () => {
  await Promise.all(opened.map((repository) => repository.close()));
  await proxy.close();
});

describe('a connection lost', () => {
  test('before the second flush: nothing was kept, and that is known', async () => {
    const noticed = new Gate();
    const repository = open({}, () => noticed.open());
    const work = repository.transaction(async (tx) => {
      await saveFiveGold(tx);
      await terminate('under test');
      await noticed.opened;
    });
    await expect(work).rejects.toThrow(UnavailableError);
    expect(await gold()).toBe(0);
    await repository.transaction(saveFiveGold);
    expect(await gold()).toBe(5);
  });

  test('while it waited for a lock: nothing was kept, and that is known', async () => {
    const repository = open({});
    const stranger = await hold(direct, (tx) => tx.lockAccounts(['p1']));
    const failing = expect(repository.transaction(saveFiveGold)).rejects.toThrow(UnavailableError);
    await until('it waits', async () => (await backends('under test', 'Lock')) === 1);
    await terminate('under test');
    await failing;
    await stranger.commit();
    expect(await gold()).toBe(0);
  });

  test('before the commit got through: nobody knows, and nothing was kept', async () => {
    proxy.traffic = {
      request: (chunk, link) => {
        if (!chunk.includes('holdfast_commit')) return chunk;
        link.cut();
        return null;
      },
    };
    await expect(open({}).transaction(saveFiveGold)).rejects.toThrow(OutcomeUnknownError);
    expect(await gold()).toBe(0);
  });

  test('after the commit got through: nobody knows, and everything was kept', async () => {
    proxy.traffic = swallowing('holdfast_commit');
    const failing = expect(open({}).transaction(saveFiveGold)).rejects.toThrow(OutcomeUnknownError);
    await until('the server has committed', async () => (await gold()) === 5);
    proxy.cutAll();
    await failing;
  });

  test('in the commit of a transaction that kept nothing: that is known', async () => {
    proxy.traffic = swallowing('holdfast_commit');
    const failing = expect(open({}).transaction((tx) => tx.lockAccounts(['p1']))).rejects.toThrow(
      UnavailableError,
    );
    await until('the server has committed', async () => (await backends('under test', 'Client')) === 1);
    proxy.cutAll();
    await failing;
  });

  test('is not used again: the next transaction has another one', async () => {
    const repository = open({ maxTransactionConnections: 1 });
    for (let i = 0; i < 3; i += 1) {
      const work = repository.transaction(async () => {
        proxy.cutAll();
        await until('the server knows', async () => (await backends('under test')) === 0);
      });
      await expect(work).rejects.toThrow(UnavailableError);
    }
    await repository.transaction(saveFiveGold);
    expect(await gold()).toBe(5);
  });
});

describe('a server that does not answer', () => {
  test('is given up after the time for a transaction, before the commit as unavailable', async () => {
    const repository = open({ transactionTimeoutMs: 100 });
    await repository.transaction(() => Promise.resolve());
    proxy.traffic = { answer: () => null };
    await expect(repository.transaction(saveFiveGold)).rejects.toThrow(UnavailableError);
    proxy.traffic = {};
    await repository.transaction(saveFiveGold);
    expect(await gold()).toBe(5);
  });

  test('and in the commit as an unknown outcome', async () => {
    proxy.traffic = swallowing('holdfast_commit');
    const repository = open({ transactionTimeoutMs: 300 });
    await expect(repository.transaction(saveFiveGold)).rejects.toThrow(OutcomeUnknownError);
  });

  test('is given up by a read after the time for a statement, and so is the connection', async () => {
    const noticed = new Gate();
    const repository = open({ statementTimeoutMs: 100, maxReadConnections: 1 }, () => noticed.open());
    await repository.ping();
    proxy.traffic = { answer: () => null };
    await expect(repository.ping()).rejects.toThrow(UnavailableError);
    await noticed.opened;
    proxy.traffic = {};
    expect(await repository.account('p1')).toMatchObject({ id: 'p1' });
  });

  test('is not waited for longer than it may take to connect', async () => {
    proxy.traffic = { answer: () => null };
    const repository = open({ acquireTimeoutMs: 100 });
    await expect(repository.transaction(saveFiveGold)).rejects.toThrow(UnavailableError);
    await expect(repository.ping()).rejects.toThrow(UnavailableError);
  });
});

test('where there is no server, it is unavailable', async () => {
  const closed = await TcpProxy.before(url);
  const repository = open({ connectionString: closed.url(url) });
  await closed.close();
  await expect(repository.transaction(saveFiveGold)).rejects.toThrow(UnavailableError);
  await expect(repository.ping()).rejects.toThrow(UnavailableError);
});

test('when all connections are in use for too long, it is unavailable, and a read is not affected', async () => {
  // It bounds the opening of a connection, too: on a busy machine that takes a while.
  const repository = open({ maxTransactionConnections: 1, acquireTimeoutMs: 1000 });
  const busy = await hold(repository, (tx) => tx.lockAccounts(['p1']));
  await expect(repository.transaction(saveFiveGold)).rejects.toThrow(UnavailableError);
  expect(await repository.account('p1')).toMatchObject({ id: 'p1' });
  await busy.commit();
  await repository.transaction(saveFiveGold);
});

test('a client that stalls in a transaction is cut off, and its locks are free', async () => {
  const noticed = new Gate();
  const repository = open({ idleTimeoutMs: 100 }, () => noticed.open());
  const stall = new Gate();
  const stalled = new Gate();
  const work = repository.transaction(async (tx) => {
    await saveFiveGold(tx);
    stalled.open();
    await stall.opened;
  });
  const failing = expect(work).rejects.toThrow(UnavailableError);
  await stalled.opened;
  expect(await direct.transaction((tx) => tx.lockAccounts(['p1']))).toHaveLength(1);
  await noticed.opened;
  stall.open();
  await failing;
  expect(await gold()).toBe(0);
});

test('a client that vanished while it waited for a lock is noticed, and does not get it', async () => {
  const repository = open({ connectionCheckMs: 50 });
  const stranger = await hold(direct, (tx) => tx.lockAccounts(['p1']));
  const failing = expect(repository.transaction(saveFiveGold)).rejects.toThrow(UnavailableError);
  await until('it waits', async () => (await backends('under test', 'Lock')) === 1);
  proxy.cutAll();
  await failing;
  await until('the server has noticed', async () => (await backends('under test')) === 0);
  await stranger.commit();
});

function open(
  settings: Partial<PostgresSettings>,
  onConnectionError: (error: Error) => void = () => undefined,
): PostgresRepository {
  const repository = PostgresRepository.open(
    { ...postgresSettings(proxy.url(url), 'under test'), ...settings },
    onConnectionError,
  );
  opened.push(repository);
  return repository;
}

async function saveFiveGold(tx: Tx): Promise<void> {
  await tx.lockAccounts(['p1']);
  tx.save({ holdings: [fiveGold] });
}

/** Lets requests through, and no answers any more once one of them had this in it. */
function swallowing(text: string): TcpProxy['traffic'] {
  let swallow = false;
  return {
    request: (chunk) => {
      swallow ||= chunk.includes(text);
      return chunk;
    },
    answer: (chunk) => (swallow ? null : chunk),
  };
}

async function gold(): Promise<number> {
  const { rows } = await query(url, 'select quantity::int from holdings');
  return Number(rows[0]?.['quantity'] ?? 0);
}

async function terminate(applicationName: string): Promise<void> {
  await query(
    url,
    `select pg_terminate_backend(pid) from pg_stat_activity
     where application_name = $1 and datname = current_database()`,
    [applicationName],
  );
}

/** How many connections the server has by this name, and with them waiting for this. */
async function backends(applicationName: string, waitingFor?: string): Promise<number> {
  const { rows } = await query(
    url,
    `select count(*)::int as count from pg_stat_activity
     where application_name = $1 and datname = current_database() and ($2::text is null or wait_event_type = $2)`,
    [applicationName, waitingFor ?? null],
  );
  return Number(rows[0]?.['count']);
}
