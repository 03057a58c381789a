import { expect, test } from 'vitest';
import { expectGranted, loadWithGrants } from '../support/grant-load.ts';
import { RawConnection } from '../support/raw-http.ts';
import { receipt } from '../support/resources.ts';
import { until } from '../support/until.ts';
import { isAlive, WorkerService } from '../support/worker-service.ts';

const over = 'the replacement is over';
const notMigrated = 'the code that is on disk could not migrate the database: the replicas are left in place';
const notServing =
  'a new replica did not come up: those that serve are left in place. Mend what is on disk, or put back what was there, and send SIGHUP again';

test('SIGHUP under 64 connections of load replaces every replica, and not one request fails', async () => {
  const service = await WorkerService.start();
  const before = service.replicas;
  expect(before).toHaveLength(3);
  let replaced = false;
  const load = loadWithGrants(service.url, () => replaced);
  await service.release.put('two', 'sound');
  await service.reload(over);
  replaced = true;
  const { report, granted } = await load;

  expect({ ...report, latencies: null }).toMatchObject({ unanswered: 0, retries: 0 });
  expect([...report.answeredByStatus.keys()]).toEqual([201]);
  expect(granted).toBeGreaterThan(500);
  await expectGranted(service.database.url, granted);

  // Three replicas, and the process that migrated.
  expect(service.command.output.match(/this is release two/g)).toHaveLength(4);
  expect(service.replicas).toHaveLength(6);
  expect(service.living).toEqual(service.replicas.slice(3));
  const old = service.logged('a replica hands over').map(({ replica }) => replica);
  expect(new Set(old)).toEqual(new Set(before));
  expect(service.logged('a replica ended without having drained')).toEqual([]);
  // One at a time: none was told to hand over before its successor served, nor while another was still at it.
  const order = service.log
    .map(({ msg }) => msg)
    .filter((msg) => ['a replica serves', 'a replica hands over', 'a replica ended'].includes(String(msg)))
    .slice(3);
  expect(order).toEqual(
    Array.from({ length: 3 }, () => ['a replica serves', 'a replica hands over', 'a replica ended']).flat(),
  );
}, 120_000);

test('a new release that can’t migrate, can’t serve or never comes to it leaves the replicas in place', async () => {
  const service = await WorkerService.start({ WORKERS: '2', WORKER_START_TIMEOUT: '15s' });
  const before = service.living;
  for (const [kind, outcome] of [
    ['unmigratable', notMigrated],
    ['broken', notServing],
    ['stuck', notServing],
  ] as const) {
    await service.release.put(kind, kind);
    await service.reload(outcome);
    expect(service.command.output).toContain(`this is release ${kind}`);
    expect(service.living).toEqual(before);
    receipt(await service.api.grant('still', { gold: 1 }));
  }
  expect(service.log.find(({ msg }) => msg === notMigrated)?.['output']).toContain('no such luck');
  expect(service.logged(notServing).map(({ reason }) => reason)).toEqual([
    'it ended (exit code 1) before it served',
    'it did not serve within 15000 ms',
  ]);

  // The next one that is sound is taken.
  await service.release.put('mended', 'sound');
  await service.reload(over);
  expect(service.living).toHaveLength(2);
  expect(before.filter(isAlive)).toEqual([]);
  receipt(await service.api.grant('still', { gold: 1 }));
}, 120_000);

test('a connection that idles through a handover is served, by a replica that is ready, and told to use another', async () => {
  const service = await WorkerService.start({ WORKERS: '2', HANDOVER_GRACE: '5s' });
  const { command } = service;
  // Its connections idle as well, and would be waited for as long as the grace lasts.
  service.api.close();
  const open = new Set(Array.from({ length: 8 }, () => new RawConnection(service.url)));
  /** Those that were told to use another connection have ended with that. */
  const ask = async (): Promise<void> => {
    for (const connection of open) {
      connection.write('GET /readyz HTTP/1.1\r\nhost: holdfast\r\n\r\n');
      const answer = await connection.answer();
      expect(answer).toMatchObject({ status: 200, body: '{"status":"ready"}' });
      if (answer?.headers['connection'] === 'close') open.delete(connection);
    }
  };
  await ask();
  expect(open.size).toBe(8);
  command.process.kill('SIGHUP');
  for (const handovers of [1, 2]) {
    await until(
      'a replica hands over',
      () => service.logged('a replica hands over').length === handovers,
      30_000,
    );
    await until(
      'it has ended',
      async () => {
        await ask();
        return service.logged('a replica ended').length === handovers;
      },
      30_000,
    );
  }
  expect(open.size).toBe(0);
  await command.says(over);
}, 90_000);
