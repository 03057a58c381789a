import { expect } from 'vitest';
import type { Api } from './api.ts';
import type { Outcome, RunResult } from './clients.ts';
import { query } from './query.ts';
import { ok, quantities, type Inventory, type Listing, type Page, type Receipt } from './resources.ts';
import {
  workloadAccounts,
  workloadAssets,
  workloadListings,
  linesOf,
  type PlannedOperation,
} from './workload.ts';

/** Puts on offer what the workload deals in, and gives every account something to start with. */
export async function openWorkload(api: Api, operations: number): Promise<void> {
  for (const [asset, body] of Object.entries(workloadAssets))
    ok(await api.put(`/v1/assets/${asset}`, body), 201);
  for (const [listing, { price, goods, stock }] of Object.entries(workloadListings(operations)))
    ok(
      await api.put(`/v1/listings/${listing}`, { price: linesOf(price), goods: linesOf(goods), stock }),
      201,
    );
  for (const account of workloadAccounts) ok(await api.grant(account, startingWith, { key: 'start' }), 201);
}

const startingWith = { gold: 200, gem: 20 };

/** Everything in the feed. */
export async function readFeed(api: Api): Promise<Receipt[]> {
  const receipts: Receipt[] = [];
  let after = '';
  for (;;) {
    const page = ok<Page<Receipt>>(await api.get(`/v1/operations?limit=200${after}`));
    receipts.push(...page.data);
    if (page.data.length === 0) return receipts;
    after = `&after=${encodeURIComponent(String(page.nextCursor))}`;
  }
}

/**
 * Fails unless what the service shows is exactly what the accepted operations amount to: by the model, by the feed,
 * and by the rows. Every key is used once, and nothing happened that nobody was told of.
 */
export async function audit(
  api: Api,
  { run, operations, databaseUrl }: { run: RunResult; operations: number; databaseUrl: string },
): Promise<void> {
  const accepted = [...run.outcomes].filter(
    (pair): pair is [PlannedOperation, Extract<Outcome, { kind: 'accepted' }>] => pair[1].kind === 'accepted',
  );
  for (const [operation, { receipt }] of accepted) expectEffect(operation, receipt);

  const feed = await readFeed(api);
  const byId = new Map(feed.map((receipt) => [receipt.id, receipt]));
  expect(byId.size, 'ids that are there twice').toBe(feed.length);
  for (const [operation, { receipt }] of accepted)
    expect(byId.get(receipt.id), operation.key).toEqual(receipt);
  // What else is in the feed is how it began: the starting grants, and the first stock.
  const told = new Set(accepted.map(([, { receipt }]) => receipt.id));
  const others = feed.filter(({ id }) => !told.has(id));
  expect(others.filter(({ type }) => type === 'grant')).toHaveLength(workloadAccounts.length);
  expect(others.filter(({ type }) => type !== 'grant').map(({ type }) => type)).toEqual(['restock']);

  const { balances, versions } = replay(feed);
  await expectInventories(api, { accepted, balances, versions });
  await expectStock(api, { accepted, operations });
  await expectKeysUsedOnce(databaseUrl, accepted.length + workloadAccounts.length);
}

/** A receipt must state what the rules say that the operation does. */
function expectEffect({ key, effect }: PlannedOperation, receipt: Receipt): void {
  const stated: Record<string, Record<string, number>> = {};
  for (const { account, asset, delta } of receipt.entries) {
    stated[account] ??= {};
    expect(stated[account][asset], `${key} states ${account}'s ${asset} twice`).toBeUndefined();
    stated[account][asset] = delta;
  }
  expect(stated, key).toEqual(effect);
  expect(Object.keys(receipt.accounts).toSorted(), key).toEqual(Object.keys(effect).toSorted());
}

/** Adds the feed up in its order: every balance and version must follow from the one before. */
export function replay(feed: readonly Receipt[]): {
  balances: Record<string, Record<string, number>>;
  versions: Record<string, number>;
} {
  const balances: Record<string, Record<string, number>> = {};
  const versions: Record<string, number> = {};
  for (const { id, accounts, entries } of feed) {
    for (const [account, { version }] of Object.entries(accounts)) {
      if (version !== (versions[account] ?? 0) + 1)
        throw new Error(`${id}: ${account} is at ${version} too early or late`);
      versions[account] = version;
    }
    for (const { account, asset, delta, balance } of entries) {
      const own = (balances[account] ??= {});
      own[asset] = (own[asset] ?? 0) + delta;
      if (own[asset] !== balance || balance < 0)
        throw new Error(`${id}: ${account} has ${own[asset]} ${asset} by then, not ${balance}`);
    }
  }
  return { balances, versions };
}

type Accepted = readonly (readonly [PlannedOperation, { readonly receipt: Receipt }])[];

async function expectInventories(
  api: Api,
  state: {
    accepted: Accepted;
    balances: Readonly<Record<string, Readonly<Record<string, number>>>>;
    versions: Readonly<Record<string, number>>;
  },
): Promise<void> {
  const { accepted, balances, versions } = state;
  const model = new Map(workloadAccounts.map((account) => [account, new Map(Object.entries(startingWith))]));
  const operationsOf = new Map(workloadAccounts.map((account) => [account, 1]));
  for (const [{ effect }] of accepted) {
    for (const [account, changes] of Object.entries(effect)) {
      operationsOf.set(account, (operationsOf.get(account) ?? 0) + 1);
      const own = model.get(account);
      for (const [asset, delta] of Object.entries(changes)) own?.set(asset, (own.get(asset) ?? 0) + delta);
    }
  }
  for (const account of workloadAccounts) {
    const inventory = ok<Inventory>(await api.inventory(account));
    const expected = Object.fromEntries(
      [...(model.get(account) ?? [])].filter(([, quantity]) => quantity !== 0),
    );
    expect(quantities(inventory), account).toEqual(expected);
    expect(nonZero(balances[account] ?? {}), account).toEqual(expected);
    expect(inventory.version, account).toBe(operationsOf.get(account));
    expect(versions[account], account).toBe(inventory.version);
  }
}

function nonZero(amounts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(amounts).filter(([, quantity]) => quantity !== 0));
}

async function expectStock(
  api: Api,
  { accepted, operations }: { accepted: Accepted; operations: number },
): Promise<void> {
  for (const [id, { stock }] of Object.entries(workloadListings(operations))) {
    const listing = ok<Listing>(await api.get(`/v1/listings/${id}`));
    if (stock === null) {
      expect(listing).toMatchObject({ stock: null, remaining: null });
      continue;
    }
    const changes = accepted.map(([{ sold }]) => sold[id] ?? 0);
    const added = changes.filter((units) => units < 0).reduce((sum, units) => sum - units, 0);
    const sold = changes.filter((units) => units > 0).reduce((sum, units) => sum + units, 0);
    expect(listing).toMatchObject({ stock: stock + added, remaining: stock + added - sold });
  }
}

async function expectKeysUsedOnce(databaseUrl: string, keyed: number): Promise<void> {
  const counts = `
    select count(*)::int as operations, count(distinct id)::int as ids, count(distinct (home, actor, idempotency_key))::int as keys
    from operations where idempotency_key = 'start' or idempotency_key like 'op-%'`;
  const { rows } = await query(databaseUrl, counts);
  expect(rows).toEqual([{ operations: keyed, ids: keyed, keys: keyed }]);
}

/** How many operations ended in each way. */
export function tally(run: RunResult): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const outcome of run.outcomes.values()) {
    const name = outcome.kind === 'accepted' ? 'accepted' : outcome.code;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
