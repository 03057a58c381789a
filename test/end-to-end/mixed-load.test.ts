import { describe, expect, test } from 'vitest';
import { audit, openWorkload, tally } from '../support/audit.ts';
import { Clients, type RunResult } from '../support/clients.ts';
import { query } from '../support/query.ts';
import { chooseSeed } from '../support/random.ts';
import { ok } from '../support/resources.ts';
import { adminApiKey, serveReplica, serveReplicas, type ServedReplica } from '../support/served-replicas.ts';
import { planWorkload } from '../support/workload.ts';

// `E2E_OPERATIONS=100000` is the long form.
const operations = Number(process.env['E2E_OPERATIONS'] ?? 3000);
const timeoutMs = 60_000 + 20 * operations;

async function load(
  replicas: readonly ServedReplica[],
  options: { operations: number; seed: number },
): Promise<RunResult> {
  const [first] = replicas;
  if (first === undefined) throw new Error('there is at least one');
  await openWorkload(first.api, options.operations);
  const urls = replicas.map(({ url }) => url);
  return await Clients.run({
    ...options,
    operations: planWorkload(options),
    urls,
    token: adminApiKey,
    clients: 32,
  });
}

test(
  `${operations} operations by many clients over three replicas, a tenth of them sent twice at once, leave every sum exact`,
  async () => {
    const seed = chooseSeed('mixed load');
    const { database, replicas, apis } = await serveReplicas(3);
    const [api] = apis;
    if (api === undefined) throw new Error('there are three');
    const run = await load(replicas, { operations, seed });

    expect(run.outcomes.size).toBe(operations);
    expect(run).toMatchObject({ failures: {}, unanswered: 0 });
    const { accepted = 0, insufficient_balance: poor = 0, out_of_stock: late = 0, ...others } = tally(run);
    expect(others).toEqual({});
    // Enough of each for the sums to mean something.
    expect(accepted).toBeGreaterThan(operations / 3);
    expect(poor).toBeGreaterThan(operations / 100);
    expect(late).toBeGreaterThan(operations / 100);
    const twice = [...run.outcomes].filter(([{ doubled }, { kind }]) => doubled && kind === 'accepted');
    expect(twice.length).toBeGreaterThan(operations / 40);
    // Of two at the same moment one is the first; the other is a replay, unless it was rejected before.
    for (const [{ key, doubled }, outcome] of run.outcomes)
      if (outcome.kind === 'accepted') expect(outcome.replays, key).toBeLessThanOrEqual(doubled ? 1 : 0);
    await audit(api, { run, operations, databaseUrl: database.url });
  },
  timeoutMs,
);

describe('the audit, or it proves nothing,', () => {
  test('sees one unit too many, one sold unseen, a balance that does not follow, and an operation that nobody was told of', async () => {
    const few = 200;
    const replica = await serveReplica();
    const { api, database } = replica;
    const run = await load([replica], { operations: few, seed: 7 });
    const examine = async (): Promise<void> => {
      await audit(api, { run, operations: few, databaseUrl: database.url });
    };
    const sql = async (text: string): Promise<void> => {
      expect((await query(database.url, text)).rowCount, text).toBe(1);
    };
    await examine();
    const more = `update holdings set quantity = quantity + 1 where account = 'load.0' and asset = 'gold'`;
    await sql(more);
    await expect(examine()).rejects.toThrow(/load\.0/);
    await sql(more.replace('+ 1', '- 1'));
    const unseen = `update stock set remaining = remaining - 1 where listing = 'shield'`;
    await sql(unseen);
    await expect(examine()).rejects.toThrow(/remaining/);
    await sql(unseen.replace('- 1', '+ 1'));
    await examine();
    ok(await api.grant('load.1', { gold: 1 }), 201);
    await expect(examine()).rejects.toThrow();
  });
});
