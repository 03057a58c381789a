import { afterAll, beforeAll, expect, test } from 'vitest';
import { PostgresRepository } from '../../src/repository/postgres/repository.ts';
import { createTestDatabase } from '../support/database.ts';
import { openMarket } from '../support/market.ts';
import { query } from '../support/query.ts';
import { postgresSettings } from '../support/repositories.ts';
import { ok } from '../support/resources.ts';
import { serveReplica, type ServedReplica } from '../support/served-replicas.ts';
import { verifyDatabase } from '../support/verifying.ts';

const dayMs = 86_400_000;
let replica: ServedReplica;
let repository: PostgresRepository;

beforeAll(async () => {
  const database = await createTestDatabase();
  replica = await serveReplica({ database });
  repository = PostgresRepository.open(postgresSettings(database.url, 'pruner'), () => undefined);
  await openMarket(replica.api);
});

afterAll(async () => {
  await repository.close();
});

const grant = async (key: string) =>
  ok<{ id: string }>(
    await replica.api.post(
      '/v1/grants',
      { account: 'p1', assets: [{ asset: 'gold', quantity: 10 }] },
      { key },
    ),
    201,
  );

const keysLeft = async () =>
  (
    await query(
      replica.database.url,
      `select idempotency_key as key, request_hash is null as forgotten from operations order by position`,
    )
  ).rows;

test('old keys go, in bounded batches, and a request that is repeated after that is done again', async () => {
  const first = await grant('one');
  for (const key of ['two', 'three', 'four']) await grant(key);
  expect(await repository.idempotencyKeys.prune({ olderThanMs: dayMs, limit: 10 })).toEqual({
    keys: 0,
    more: false,
  });
  expect((await grant('one')).id).toBe(first.id);

  // What is two days old: the first three, and a reward among them.
  await query(
    replica.database.url,
    `update operations set at = at - interval '2 days', type = case idempotency_key when 'two' then 'reward' else type end
     where idempotency_key in ('one', 'two', 'three')`,
  );
  expect(await repository.idempotencyKeys.prune({ olderThanMs: dayMs, limit: 2 })).toEqual({
    keys: 1,
    more: true,
  });
  expect(await repository.idempotencyKeys.prune({ olderThanMs: dayMs, limit: 2 })).toEqual({
    keys: 1,
    more: false,
  });
  expect(await repository.idempotencyKeys.prune({ olderThanMs: dayMs, limit: 2 })).toEqual({
    keys: 0,
    more: false,
  });
  expect(await keysLeft()).toEqual([
    { key: null, forgotten: true },
    { key: 'two', forgotten: false },
    { key: null, forgotten: true },
    { key: 'four', forgotten: false },
  ]);
  await query(
    replica.database.url,
    `update operations set at = at + interval '2 days', type = 'grant' where at < now() - interval '1 day'`,
  );

  const again = await grant('one');
  expect(again.id).not.toBe(first.id);
  expect((await grant('one')).id).toBe(again.id);
  expect(ok<{ id: string }>(await replica.api.get(`/v1/operations/${first.id}`)).id).toBe(first.id);
  expect(await verifyDatabase(replica.database.url)).toMatchObject({ discrepancyCount: 0 });
});
