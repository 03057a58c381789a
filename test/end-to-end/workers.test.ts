import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { CommandLine } from '../support/command-line.ts';
import { createTestDatabase } from '../support/database.ts';
import { expectGranted, loadWithGrants } from '../support/grant-load.ts';
import { query } from '../support/query.ts';
import { ok, quantities, receipt, type Inventory } from '../support/resources.ts';
import { holdAccount } from '../support/row-lock.ts';
import { replicaEnv, serveReplica } from '../support/served-replicas.ts';
import { until } from '../support/until.ts';
import { isAlive, WorkerService } from '../support/worker-service.ts';

const restarted = 'a replica ended, and is started again';
const notServing = 'a replica did not come up';

test('a replica that is killed is started again, and the others serve meanwhile', async () => {
  const service = await WorkerService.start({ WORKERS: '2' });
  const [victim = 0, survivor = 0] = service.replicas;
  process.kill(victim, 'SIGKILL');
  await service.command.says(restarted);
  receipt(await service.api.grant('p1', { gold: 1 }));
  await until('there are two again', () => service.living.length === 2, 30_000);
  expect(service.logged(restarted)).toMatchObject([{ replica: victim, end: 'SIGKILL' }]);
  expect(isAlive(survivor)).toBe(true);
  receipt(await service.api.grant('p1', { gold: 1 }));
  service.command.process.kill('SIGTERM');
  // A replica that was killed has not failed to drain.
  expect(await service.command.ended).toEqual({ code: 0, signal: null });
}, 60_000);

test('replicas that end as soon as they serve are started ever more slowly, until they are mended', async () => {
  const service = await WorkerService.start({
    WORKERS: '2',
    WORKER_RESTART_BACKOFF: '100ms',
    WORKER_RESTART_BACKOFF_MAX: '400ms',
  });
  const [victim = 0] = service.replicas;
  await service.release.put('worse', 'shortLived');
  // Longer than the longest wait: it has earned a start at once.
  await sleep(400);
  process.kill(victim, 'SIGKILL');
  await until('it was tried four times', () => service.logged(notServing).length >= 4, 60_000);
  const [{ restartInMs } = { restartInMs: null }] = service.logged(restarted);
  expect(restartInMs).toBe(0);
  const tries = service.logged(notServing).slice(0, 4);
  expect(tries.map(({ nextTryInMs }) => nextTryInMs)).toEqual([100, 200, 400, 400]);
  const timesMs = tries.map(({ time }) => Date.parse(String(time)));
  for (const [i, waitMs] of [100, 200, 400].entries())
    expect((timesMs[i + 1] ?? 0) - (timesMs[i] ?? 0)).toBeGreaterThanOrEqual(waitMs);
  receipt(await service.api.grant('p1', { gold: 1 }));

  await service.release.put('mended', 'sound');
  await until('there are two again', () => service.living.length === 2, 30_000);
}, 90_000);

test('SIGTERM in full flow drains every replica: what is in the books was answered', async () => {
  const service = await WorkerService.start({ SHUTDOWN_GRACE: '300ms' });
  let answered = 0;
  let over = false;
  const load = loadWithGrants(service.url, () => {
    answered += 1;
    if (answered === 500) service.command.process.kill('SIGTERM');
    return over;
  });
  const end = await service.command.ended;
  over = true;
  const { granted } = await load;
  expect(end).toEqual({ code: 0, signal: null });
  expect(service.living).toEqual([]);
  expect(granted).toBeGreaterThan(400);
  await expectGranted(service.database.url, granted);
}, 60_000);

test('a second signal forces: the replicas are killed, and the exit code says so', async () => {
  const patience = { DB_LOCK_TIMEOUT: '20s', DB_STATEMENT_TIMEOUT: '25s' };
  const service = await WorkerService.start({ WORKERS: '2', ...patience });
  receipt(await service.api.grant('held', { gold: 1 }));
  const lock = await holdAccount(service.database.url, 'held');
  const cut = service.api.grant('held', { gold: 1 }).catch(() => null);
  await lock.waitedFor();
  service.command.process.kill('SIGTERM');
  await service.command.says('"signal":"SIGTERM"');
  // So that the second is no echo of the first.
  await sleep(600);
  service.command.process.kill('SIGTERM');
  expect(await service.command.ended).toEqual({ code: 1, signal: null });
  await until('no replica is left', () => service.living.length === 0);
  expect(await cut).toBeNull();
  await lock.release();
}, 60_000);

test('SIGKILL of the primary: the replicas answer what is under way, and end', async () => {
  const service = await WorkerService.start({ WORKERS: '2' });
  receipt(await service.api.grant('held', { gold: 1 }));
  const lock = await holdAccount(service.database.url, 'held');
  const underWay = Array.from({ length: 8 }, () => service.api.grant('held', { gold: 1 }));
  await lock.waitedFor();
  service.command.process.kill('SIGKILL');
  await until('no new connection is accepted', async () => {
    return await fetch(`${service.url}/livez`, { headers: { connection: 'close' } }).then(
      () => false,
      () => true,
    );
  });
  expect(service.living).toHaveLength(2);
  await lock.release();
  for (const answer of await Promise.all(underWay)) receipt(answer);
  await until('no replica is left', () => service.living.length === 0);
  const replica = await serveReplica({ database: service.database });
  expect(quantities(ok<Inventory>(await replica.api.inventory('held')))).toEqual({ gold: 9 });
}, 60_000);

test('where the replicas can’t come up it says why, and ends', async () => {
  const { url } = await createTestDatabase();
  await query(url, 'drop schema public cascade; create schema public');
  const command = new CommandLine(['serve'], { env: replicaEnv(url, { WORKERS: '2', LOG_LEVEL: 'info' }) });
  expect(await command.ended).toEqual({ code: 1, signal: null });
  expect(command.output).toContain(notServing);
  expect(command.output).toContain('npm run migrate');
}, 60_000);

test('one replica alone says what SIGHUP would need, and serves on', async () => {
  const { url } = await createTestDatabase();
  const command = new CommandLine(['serve'], { env: replicaEnv(url, { LOG_LEVEL: 'info' }) });
  await command.says('"serving"');
  command.process.kill('SIGHUP');
  await command.says('SIGHUP replaces replicas where WORKERS is 2 or more');
  command.process.kill('SIGTERM');
  expect(await command.ended).toEqual({ code: 0, signal: null });
});
