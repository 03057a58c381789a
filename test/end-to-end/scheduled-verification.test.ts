import { expect, test } from 'vitest';
import { createTestDatabase } from '../support/database.ts';
import { missSchedule } from '../support/missed-schedule.ts';
import { query } from '../support/query.ts';
import { ok, type Page } from '../support/resources.ts';
import { serveReplica } from '../support/served-replicas.ts';
import { until } from '../support/until.ts';

interface Verification {
  readonly actor: string;
  readonly sound: boolean;
}

test('a scheduled verification that was missed is made up for, by one of the replicas, and listed', async () => {
  const database = await createTestDatabase();
  const env = { VERIFY_SCHEDULE: await missSchedule(database.url, 'verify-ledger') };
  const replicas = await Promise.all([1, 2, 3].map(() => serveReplica({ database, env })));
  const api = replicas[0]?.api;
  if (api === undefined) throw new Error('there is no replica');
  const listed = async () => ok<Page<Verification>>(await api.get('/v1/verifications')).data;
  await until('it is listed', async () => (await listed()).length > 0);
  for (const replica of replicas) expect(await replica.stop()).toEqual({ code: 0, signal: null });
  const { rows } = await query(
    database.url,
    `select actor, result->>'discrepancyCount' as wrong from verifications`,
  );
  expect(rows).toEqual([{ actor: 'schedule', wrong: '0' }]);
});
