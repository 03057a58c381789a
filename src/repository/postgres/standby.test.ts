import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startExecutor, wordFor } from '../../../test/support/executors.ts';
import { query } from '../../../test/support/query.ts';
import { postgresSettings } from '../../../test/support/repositories.ts';
import { consuming, granting, request } from '../../../test/support/requests.ts';
import { gold, openAccounts, stockShop } from '../../../test/support/shop.ts';
import { rewritten, TcpProxy } from '../../../test/support/tcp-proxy.ts';
import { until } from '../../../test/support/until.ts';
import type { Command } from '../../domain/command.ts';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../development/embedded-postgres.ts';
import { OutcomeUnknownError } from '../errors.ts';
import { migrateToLatest } from './migrate.ts';
import { PostgresRepository } from './repository.ts';

/*
 * A server of its own: whom commits wait for is a setting of the whole server. Its only standby never connects, and
 * waiting for it is turned on for one role's sessions alone.
 */
let folder: string;
let server: EmbeddedPostgres;
let url: string;
let waitingUrl: string;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-standby-')));
  const log = { info: () => undefined, warn: () => undefined };
  const settings = { synchronous_standby_names: 'nobody', synchronous_commit: 'local' };
  server = await startEmbeddedPostgres({ dataFolder: folder, durable: false, log, settings });
  url = server.url('holdfast');
  await migrateToLatest({ connectionString: url });
  const waiting = new URL(url);
  waiting.searchParams.set('options', '-c synchronous_commit=on');
  waitingUrl = waiting.href;
});

afterAll(async () => {
  await server.stop();
  for (const used of new Set([folder, server.dataFolder])) await rm(used, { recursive: true, force: true });
});

test('a commit whose wait for a standby is cut short is answered as done, and taken as unknown', async () => {
  await expectUnknown('p1', waitingUrl);
});

test('also when the server warns in another language', async () => {
  const proxy = await TcpProxy.before(url);
  proxy.traffic = { answer: (chunk) => rewritten(chunk, 'SWARNING\0', 'SWARNUNG\0') };
  await expectUnknown('p2', proxy.url(waitingUrl));
  await proxy.close();
});

test('while the standby does not confirm, nothing is acknowledged: not by asking again under the key either', async () => {
  const local = PostgresRepository.open(postgresSettings(url, 'local'), () => undefined);
  await openAccounts(local, ['p3']);
  await stockShop(local, { assets: [gold] });
  const repository = PostgresRepository.open(postgresSettings(waitingUrl, 'waiting'), () => undefined);
  const { executor } = startExecutor(repository, { backoff: { retries: 2, baseMs: 1, maxMs: 1 } });
  const told = async (command: Command, idempotencyKey: string | null): Promise<string> => {
    let word: string | undefined;
    const execution = wordFor(executor.execute(request(command, { idempotencyKey })));
    const ended = execution.then((ending) => (word = ending));
    await until('it is answered, for want of patience', async () => {
      await cancelWaiting();
      return word !== undefined;
    });
    return await ended;
  };
  const buy = async (): Promise<string> => await told(granting('p3', { gold: 5 }), 'k');
  expect(await buy()).toBe('outcome_unknown');
  // By now it is on record here, and still on no standby: to say so would be to acknowledge what may be lost.
  expect(await buy()).toBe('outcome_unknown');
  // What is rejected may rest on it.
  expect(await told(consuming('p3', { gold: 6 }), null)).toBe('database_unavailable');

  const confirmed = startExecutor(local).executor;
  const again = request(granting('p3', { gold: 5 }), { idempotencyKey: 'k' });
  expect(await wordFor(confirmed.execute(again))).toBe('replayed');
  await Promise.all([executor.drain(), confirmed.drain()]);
  await Promise.all([repository.close(), local.close()]);
});

test('it is said at start what a commit waits for, and warned of what does not wait for the standby', async () => {
  const said = async (through: string): Promise<{ told: unknown[]; warned: unknown[] }> => {
    const [told, warned]: [unknown[], unknown[]] = [[], []];
    const repository = PostgresRepository.open(postgresSettings(through, 'checks'), () => undefined);
    await repository.checkServer({
      info: (_fields, message) => told.push(message),
      warn: ({ setting }: { setting?: string }) => warned.push(setting),
    });
    await repository.close();
    return { told, warned };
  };
  // The server of this test is not durable, which it is also warned of.
  expect(await said(url)).toEqual({
    told: ['a commit waits for: this server’s disk, no standby'],
    warned: ['fsync', 'full_page_writes', 'synchronous_commit'],
  });
  expect(await said(waitingUrl)).toEqual({
    told: ['a commit waits for: this server’s disk, and that of synchronous standbys where there are any'],
    warned: ['fsync', 'full_page_writes'],
  });
});

async function expectUnknown(account: string, through: string): Promise<void> {
  const local = PostgresRepository.open(postgresSettings(url, 'local'), () => undefined);
  await openAccounts(local, [account]);
  await local.close();
  const repository = PostgresRepository.open(postgresSettings(through, 'waiting'), () => undefined);
  const work = repository.transaction(async (tx) => {
    await tx.lockAccounts([account]);
    tx.save({ holdings: [{ account, asset: 'gold', quantity: 5, reserved: 0 }] });
  });
  const failing = expect(work).rejects.toThrow(OutcomeUnknownError);
  await until('the commit waits for its standby', async () => (await cancelWaiting()) === 1);
  await failing;
  // It says so because it may be lost with this server; as long as the server lives, it is there.
  const kept = 'select quantity::int from holdings where account = $1';
  expect((await query(url, kept, [account])).rows).toEqual([{ quantity: 5 }]);
  expect(await repository.transaction((tx) => tx.now())).toMatchObject({ catalogVersion: 1 });
  await repository.close();
}

async function cancelWaiting(): Promise<number> {
  const { rows } = await query(
    url,
    `select count(pg_cancel_backend(pid))::int as count from pg_stat_activity where wait_event = 'SyncRep'`,
  );
  return Number(rows[0]?.['count']);
}
