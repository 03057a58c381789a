import { beforeAll, describe, expect, test } from 'vitest';
import { lines, type Api } from '../support/api.ts';
import { openMarket } from '../support/market.ts';
import { query } from '../support/query.ts';
import { ok, quantities, receipt, type Inventory, type Page, type Receipt } from '../support/resources.ts';
import { serveReplicas, type ServedReplica } from '../support/served-replicas.ts';
import { until } from '../support/until.ts';
import { verifyDatabase } from '../support/verifying.ts';

const patienceMs = 30_000;

let replicas: ServedReplica[];
let api: Api;
let url: string;

async function open(count: number): Promise<void> {
  const served = await serveReplicas(count);
  replicas = served.replicas;
  url = served.database.url;
  const [first] = served.apis;
  if (first === undefined) throw new Error('there is one');
  api = first;
  await openMarket(api);
}

async function putRule(rule: string, body: object): Promise<void> {
  const answer = await api.put(`/v1/reward-rules/${rule}`, { grant: lines({ xp: 10 }), ...body });
  expect([200, 201]).toContain(answer.status);
}

/** Resolves when all that was committed before this was asked has been handled. */
async function handled(): Promise<void> {
  const { rows } = await query(url, 'select last_value::int as last from operation_position');
  const last = Number(rows[0]?.['last']);
  await until(
    `rewards are granted up to ${last}`,
    async () => {
      const cursor = await query(url, `select position::int from consumers where name = 'rewards'`);
      return Number(cursor.rows[0]?.['position']) >= last;
    },
    patienceMs,
  );
}

async function feed(): Promise<Receipt[]> {
  const all: Receipt[] = [];
  for (let after = ''; ;) {
    const page = ok<Page<Receipt>>(await api.get(`/v1/operations?limit=200${after}`));
    if (page.data.length === 0) return all;
    all.push(...page.data);
    after = `&after=${encodeURIComponent(String(page.nextCursor))}`;
  }
}

const xpOf = async (account: string) => quantities(ok<Inventory>(await api.inventory(account)))['xp'] ?? 0;

describe('on one replica', () => {
  beforeAll(async () => {
    await open(1);
  });

  test('what was done before the rule earns nothing, what is done after it does, and while it is off nothing', async () => {
    receipt(await api.grant('early', { gold: 1000 }));
    receipt(await api.purchase('early', 'sword'));
    await putRule('early', { on: { type: 'purchase', listing: 'sword' } });
    const bought = receipt(await api.purchase('early', 'sword'));
    await handled();
    expect(await xpOf('early')).toBe(10);
    const reward = (await feed()).at(-1);
    expect(reward).toMatchObject({
      type: 'reward',
      actor: 'rewards',
      entries: [{ account: 'early', asset: 'xp', delta: 10, balance: 10 }],
      details: { rule: 'early', operation: bought.id, earnedAt: bought.at },
    });

    await putRule('early', { on: { type: 'purchase' }, enabled: false });
    receipt(await api.purchase('early', 'sword'));
    await handled();
    await putRule('early', { on: { type: 'purchase' } });
    receipt(await api.purchase('early', 'sword'));
    await handled();
    expect(await xpOf('early')).toBe(20);
    await putRule('early', { on: { type: 'purchase' }, enabled: false });
  });

  test('what does not fit is parked and told of, and granted when it is tried again and there is room', async () => {
    await putRule('medicine', { on: { type: 'consumption' }, grant: lines({ potion: 3 }) });
    receipt(await api.grant('ill', { gold: 100 }));
    receipt(await api.consume('ill', { gold: 1 }));
    const second = receipt(await api.consume('ill', { gold: 1 }));
    await handled();
    const parked = async () => (await query(url, 'select operation, reason from parked_operations')).rows;
    expect(await parked()).toEqual([
      {
        operation: second.id,
        reason:
          'reward rule medicine: account ill would hold 6 potion, and may hold 5 (stack_limit_exceeded)',
      },
    ]);
    // What comes after it is granted all the same.
    receipt(await api.grant('well', { gold: 1 }));
    receipt(await api.consume('well', { gold: 1 }));
    await handled();
    expect(quantities(ok<Inventory>(await api.inventory('well')))).toEqual({ potion: 3 });

    await putRule('medicine', { on: { type: 'consumption', asset: 'gold' }, grant: lines({ potion: 3 }) });
    receipt(await api.consume('ill', { potion: 3 }));
    await query(url, 'update parked_operations set retry = true');
    await until('it is tried again', async () => (await parked()).length === 0, patienceMs);
    expect(quantities(ok<Inventory>(await api.inventory('ill')))).toMatchObject({ potion: 3 });
  });
});

/** Buys a sword through one replica, or, when that is gone, through the others: under the key it is bought once. */
async function buy(account: string, key: string, through: number): Promise<void> {
  for (let i = 0; i < replicas.length; i += 1) {
    const replica = replicas[(through + i) % replicas.length];
    const answer = await replica?.api.purchase(account, 'sword', 1, { key }).catch(() => undefined);
    if (answer !== undefined) {
      ok(answer, 201);
      return;
    }
  }
  throw new Error('no replica is left');
}

/** Kills the replica that grants the rewards. */
async function killOwner(): Promise<void> {
  const { rows } = await query(url, `select owner from consumers where name = 'rewards'`);
  const owner = replicas.find(({ pid }) => String(rows[0]?.['owner']).endsWith(`:${pid}`));
  if (owner === undefined) throw new Error(`nobody grants rewards: ${JSON.stringify(rows)}`);
  owner.kill('SIGKILL');
  expect(await owner.ended).toEqual({ code: null, signal: 'SIGKILL' });
  const left = replicas.find((replica) => replica !== owner);
  if (left !== undefined) api = left.api;
}

test('three replicas at work, the one that grants rewards killed: each purchase earns once, the limit of the day holds, the ledger is sound', async () => {
  await open(3);
  await putRule('xp', { on: { type: 'purchase' } });
  await putRule('daily', { on: { type: 'purchase' }, grant: lines({ gem: 1 }), dailyLimit: 5 });
  const accounts = Array.from({ length: 12 }, (_, i) => `buyer${i}`);
  for (const account of accounts) receipt(await api.grant(account, { gold: 100_000 }));
  const perAccount = 40;
  let bought = 0;
  await Promise.all(
    accounts.map(async (account, i) => {
      for (let n = 0; n < perAccount; n += 1) {
        await buy(account, `${account} ${n}`, i);
        bought += 1;
        if (bought === (accounts.length * perAccount) / 2) await killOwner();
      }
    }),
  );
  await handled();

  const all = await feed();
  const rewards = all.filter(({ type }) => type === 'reward');
  const purchases = all.filter(({ type }) => type === 'purchase').map(({ id }) => id);
  expect(purchases).toHaveLength(accounts.length * perAccount);
  const earnedBy = (rule: string) => rewards.filter(({ details }) => details['rule'] === rule);
  expect(
    earnedBy('xp')
      .map(({ details }) => details['operation'])
      .sort(),
  ).toEqual([...purchases].sort());
  const days = new Set(earnedBy('xp').map(({ details }) => String(details['earnedAt']).slice(0, 10)));
  for (const account of accounts) {
    const { xp, gem } = quantities(ok<Inventory>(await api.inventory(account)));
    expect(xp).toBe(10 * perAccount);
    const perDay = [...days].map((day) => {
      const onDay = (type: string) =>
        all.filter((made) => {
          const at = type === 'reward' ? String(made.details['earnedAt']) : made.at;
          const counts = made.type === type && (type !== 'reward' || made.details['rule'] === 'daily');
          return counts && at.startsWith(day) && made.entries[0]?.account === account;
        }).length;
      return { bought: onDay('purchase'), earned: onDay('reward') };
    });
    for (const day of perDay) expect(day.earned).toBe(Math.min(5, day.bought));
    expect(gem).toBe(perDay.reduce((sum, { earned }) => sum + earned, 0));
  }
  expect((await verifyDatabase(url)).discrepancies).toEqual([]);

  // And it finds a count that is too high.
  await query(url, `update purchase_counts set count = count + 1 where account = 'buyer0' and count = 5`);
  expect((await verifyDatabase(url)).discrepancies).toMatchObject([
    { kind: 'purchase_count', where: { account: 'buyer0' }, expected: 'at most 5', found: 6 },
  ]);
}, 60_000);
