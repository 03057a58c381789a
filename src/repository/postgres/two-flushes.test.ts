import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestDatabase } from '../../../test/support/database.ts';
import { hold } from '../../../test/support/held-transaction.ts';
import { operationRecord } from '../../../test/support/operation-records.ts';
import { query } from '../../../test/support/query.ts';
import { postgresSettings } from '../../../test/support/repositories.ts';
import { listing, openAccounts, stockShop } from '../../../test/support/shop.ts';
import { rewritten, TcpProxy } from '../../../test/support/tcp-proxy.ts';
import type { Tx } from '../repository.ts';
import { PostgresRepository } from './repository.ts';
import * as statements from './statements.ts';

let url: string;
let proxy: TcpProxy;
let direct: PostgresRepository;
let repository: PostgresRepository;
/** What the repository under test sent, a string for each flush. */
let flushes: string[];

const fiveGold = { account: 'p1', asset: 'gold', quantity: 5, reserved: 0 };

beforeEach(async () => {
  ({ url } = await createTestDatabase());
  proxy = await TcpProxy.before(url);
  flushes = [];
  proxy.traffic = {
    request: (chunk) => {
      flushes.push(chunk.toString('latin1'));
      return chunk;
    },
  };
  direct = PostgresRepository.open(postgresSettings(url, 'direct'), () => undefined);
  const settings = { ...postgresSettings(proxy.url(url), 'under test'), lockTimeoutMs: 30 };
  repository = PostgresRepository.open(settings, () => undefined);
  await openAccounts(direct, ['p1', 'p2']);
  await stockShop(direct, { listings: [listing('sale', { limited: true })], stock: 1 });
});

afterEach(async () => {
  await Promise.all([direct.close(), repository.close()]);
  await proxy.close();
});

test('a transaction is two flushes: locks and reads in one, what is kept and the commit in the other', async () => {
  await repository.transaction(() => Promise.resolve());
  flushes.length = 0;
  await repository.transaction(async (tx) => {
    await Promise.all([
      tx.ensureAccounts(['p1']),
      tx.lockAccounts(['p1']),
      tx.lockStock(['sale']),
      tx.recorded([{ home: 'p1', actor: 'a', key: 'k' }]),
      tx.holdings([{ account: 'p1', asset: 'gold' }]),
      tx.now(),
    ]);
    tx.save({ holdings: [fiveGold], operations: [operationRecord('p1')] });
  });
  expect(flushes.map(statementsOf)).toEqual([
    ['begin', 'settings', 'ensure_accounts', 'lock_accounts', 'lock_stock', 'recorded', 'holdings', 'now'],
    ['announce_positions', 'save_operations', 'save_holdings', 'commit'],
  ]);
});

test('the wait for a lock is set anew only where it changes', async () => {
  await repository.transaction(() => Promise.resolve());
  flushes.length = 0;
  await repository.transaction(
    async (tx) => {
      await Promise.all([tx.lockAccounts(['p1']), tx.lockAccounts(['p2']), tx.lockStock(['sale'])]);
    },
    { accountWaitMs: 20 },
  );
  expect(flushes.map(statementsOf)[0]).toEqual([
    'begin',
    'settings',
    'lock_accounts',
    'lock_accounts',
    'lock_wait',
    'lock_stock',
  ]);
});

describe('when a statement of the first flush fails, nothing of the second is sent:', () => {
  test.each<[string, (tx: Tx) => Promise<unknown>, string]>([
    ['a lock on an account', (tx) => tx.lockAccounts(['p2']), 'LockTimeoutError'],
    ['a lock on stock', (tx) => tx.lockStock(['sale']), 'LockTimeoutError'],
    ['the catalog’s lock', (tx) => tx.lockCatalog(), 'LockTimeoutError'],
    ['an account that is being created', (tx) => tx.ensureAccounts(['new']), 'LockTimeoutError'],
    ['a read', (tx) => tx.recorded([{ home: 'p1', actor: 'a', key: 'nul \0' }]), 'ConstraintError'],
  ])('%s', async (_name, failing, error) => {
    const stranger = await hold(direct, async (tx) => {
      await Promise.all([
        tx.ensureAccounts(['new']),
        tx.lockCatalog(),
        tx.lockAccounts(['p2']),
        tx.lockStock(['sale']),
      ]);
    });
    const work = repository.transaction(async (tx) => {
      tx.save({ holdings: [fiveGold] });
      await Promise.all([tx.lockAccounts(['p1']), failing(tx), tx.now()]);
    });
    await expect(work).rejects.toMatchObject({ name: error });
    await stranger.rollBack();
    expect(flushes.flatMap(statementsOf).filter(ofSecondFlush)).toEqual([]);
    expect(flushes.flatMap(statementsOf).at(-1)).toBe('rollback');
    expect(await goldOf()).toEqual([]);
  });

  test('the beginning itself', async () => {
    const record = proxy.traffic.request;
    proxy.traffic = {
      request: (chunk, link) =>
        record === undefined ? null : record(rewritten(chunk, 'begin', 'bgone'), link),
    };
    const work = repository.transaction(async (tx) => {
      tx.save({ holdings: [fiveGold] });
      await tx.lockAccounts(['p1']);
    });
    await expect(work).rejects.toMatchObject({
      name: 'RepositoryError',
      message: 'syntax error at or near "bgone"',
    });
    expect(flushes.flatMap(statementsOf).filter(ofSecondFlush)).toEqual([]);
    expect(await goldOf()).toEqual([]);
  });
});

test('a commit that is answered by ROLLBACK is an error', async () => {
  proxy.traffic = { request: (chunk) => rewritten(chunk, 'commit', 'abort ') };
  const work = repository.transaction(async (tx) => {
    await tx.lockAccounts(['p1']);
    tx.save({ holdings: [fiveGold] });
  });
  await expect(work).rejects.toThrow('the server answered a commit by a rollback');
  expect(await goldOf()).toEqual([]);
});

test('without named statements none is left behind on a connection', async () => {
  const settings = { ...postgresSettings(proxy.url(url), 'unnamed'), namedStatements: false };
  const unnamed = PostgresRepository.open(settings, () => undefined);
  await unnamed.transaction(async (tx) => {
    await tx.lockAccounts(['p1']);
    tx.save({ holdings: [fiveGold], operations: [operationRecord('p1')] });
  });
  await unnamed.transaction((tx) => tx.holdings([{ account: 'p1', asset: 'gold' }]));
  expect(flushes.join('')).toContain('insert into holdings');
  expect(flushes.join('')).not.toMatch(/holdfast_(begin|settings|lock|save|commit)/);
  expect(await goldOf()).toEqual([{ quantity: '5' }]);
  await unnamed.close();
});

test('no setting outlives its transaction: a pooler may give the connection to someone else', async () => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const names = [
    'lock_timeout',
    'statement_timeout',
    'idle_in_transaction_session_timeout',
    'enable_seqscan',
  ];
  const read = async () => {
    const { rows } = await client.query(
      'select name, current_setting(name) as value from unnest($1::text[]) as name',
      [names],
    );
    return rows as unknown[];
  };
  const before = await read();
  await client.query('begin');
  await client.query(statements.settings.text, ['61s', '62s', '63s', '64s']);
  expect(await read()).toEqual([
    { name: 'lock_timeout', value: '61s' },
    { name: 'statement_timeout', value: '62s' },
    { name: 'idle_in_transaction_session_timeout', value: '63s' },
    { name: 'enable_seqscan', value: 'off' },
  ]);
  await client.query('commit');
  expect(await read()).toEqual(before);
  await client.end();
});

async function goldOf(): Promise<unknown[]> {
  return (await query(url, `select quantity from holdings where asset = 'gold'`)).rows;
}

/** The statements of ours that a flush runs, in order, without the prefix of their names. */
function statementsOf(flush: string): string[] {
  // A Bind message: its length, the portal's name (none), the statement's name.
  return [...flush.matchAll(/B[^]{4}\0holdfast_([a-z_]+)\0/g)].map(([, name]) => name ?? '');
}

function ofSecondFlush(statement: string): boolean {
  return statement.startsWith('save') || statement === 'announce_positions' || statement === 'commit';
}
