import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyCommand, anyWorld, type Commanded } from '../../../test/support/arbitrary-worlds.ts';
import { ledgerFor, nowMs, type Rows } from '../../../test/support/ledgers.ts';
import type { Effect, LedgerRows } from '../ledger.ts';
import { compareIdentifiers } from '../identifier.ts';
import type { JsonObject } from '../json.ts';
import { quantityMax, type AssetQuantity } from '../quantity.ts';
import { receiptOf } from '../receipt.ts';
import type { EarningOperation } from '../reward-rule.ts';

/*
 * Random commands, one after another, each over a ledger that knows the rows of its footprint and no others: looking at
 * any other row throws, and fails the test. fast-check prints the seed and the shortest example of what fails.
 */
test('whatever is asked for, in whatever state: the rules hold, and nothing comes from nowhere or gets lost', () => {
  const accepted = new Map<string, number>();
  const rejected = new Map<string, number>();
  const steps = fc.array(fc.tuple(anyCommand, fc.integer({ min: 0, max: 15_000 })), {
    minLength: 1,
    maxLength: 10,
  });
  const property = fc.property(anyWorld, steps, (start, commands) => {
    let world = start;
    let atMs = nowMs;
    for (const [commanded, laterMs] of commands) {
      atMs += laterMs;
      const outcome = carryOut(commanded, world, atMs);
      if (typeof outcome === 'string') {
        count(rejected, outcome);
        continue;
      }
      count(accepted, commanded.command.type);
      const after = withChanges(world, outcome.changed);
      checkEntries(outcome.effect, world, after);
      checkAccounts(outcome.effect, world, after, atMs);
      checkStock(outcome.effect, world, after);
      checkRules(outcome.effect, world, after);
      checkIntent(commanded, outcome.effect, world);
      checkRecord(commanded, outcome);
      world = after;
    }
  });
  fc.assert(property, { numRuns: 1_500 });
  // The test sees every kind of operation succeed, and the refusals that matter.
  expect([...accepted.keys()].sort()).toEqual([
    'consumption',
    'grant',
    'purchase',
    'restock',
    'reward',
    'sale',
    'transfer',
  ]);
  expect([...rejected.keys()]).toEqual(
    expect.arrayContaining([
      'account_not_found',
      'asset_not_found',
      'capacity_exceeded',
      'insufficient_balance',
      'listing_closed',
      'not_sellable',
      'not_tradable',
      'out_of_stock',
      'purchase_limit_reached',
      'quantity_overflow',
      'reward_not_earned',
      'same_account',
      'stack_limit_exceeded',
    ]),
  );
});

/** Decides and applies one command; answers the code of its rejection, which has changed nothing. */
function carryOut(
  { command }: Commanded,
  world: Rows,
  atMs: number,
): { effect: Effect; changed: LedgerRows; details: JsonObject } | string {
  const ledger = ledgerFor(command, world);
  const decision = command.decide(ledger, { nowMs: atMs });
  expect(command.decide(ledger, { nowMs: atMs })).toEqual(decision);
  expect(ledger.changed()).toEqual(nothing);
  if (decision.kind === 'rejected') {
    expect(decision.detail).not.toBe('');
    return decision.code;
  }
  const fork = ledger.fork();
  const effect = fork.apply(decision.changes, atMs);
  expect(ledger.changed()).toEqual(nothing);
  expect(ledgerFor(command, world).apply(decision.changes, atMs)).toEqual(effect);
  fork.merge();
  return { effect, changed: ledger.changed(), details: decision.details };
}

const nothing: LedgerRows = { accounts: [], holdings: [], stock: [], purchases: [] };

/** Entries are sorted and unique, tell every change of a holding, and their balances follow. */
function checkEntries({ entries }: Effect, before: Rows, after: Rows): void {
  const inOrder = [...entries].sort(
    (a, b) => compareIdentifiers(a.account, b.account) || compareIdentifiers(a.asset, b.asset),
  );
  expect(entries).toEqual(inOrder);
  const told = new Set(entries.map(({ account, asset }) => `${account} ${asset}`));
  expect(told.size).toBe(entries.length);
  for (const { account, asset, delta, balance } of entries) {
    expect(Number.isSafeInteger(delta)).toBe(true);
    expect(BigInt(quantityOf(before, account, asset)) + BigInt(delta)).toBe(BigInt(balance));
    expect(quantityOf(after, account, asset)).toBe(balance);
  }
  for (const { account, asset, quantity, reserved } of after.holdings) {
    expect(Number.isSafeInteger(quantity) && quantity >= reserved && reserved >= 0).toBe(true);
    expect(quantity).toBeLessThanOrEqual(quantityMax);
    expect(reserved).toBe(find(before, account, asset)?.reserved ?? 0);
    if (!told.has(`${account} ${asset}`)) expect(quantity).toBe(quantityOf(before, account, asset));
  }
}

/** The accounts of the entries, and no others, are one version further; stacks are what is there to count. */
function checkAccounts(effect: Effect, before: Rows, after: Rows, atMs: number): void {
  const touched = [...new Set(effect.entries.map(({ account }) => account))];
  expect(effect.accounts.map(({ id }) => id)).toEqual(touched);
  expect(effect.atMs).toBeGreaterThanOrEqual(atMs);
  for (const account of after.accounts) {
    const old = before.accounts.find(({ id }) => id === account.id);
    if (!touched.includes(account.id)) {
      expect(account).toEqual(old);
      continue;
    }
    const stacks = after.holdings.filter(
      (row) =>
        row.account === account.id &&
        row.quantity > 0 &&
        after.catalog.assets.get(row.asset)?.kind === 'item',
    ).length;
    expect(account).toEqual({
      id: account.id,
      version: (old?.version ?? 0) + 1,
      declared: old?.declared ?? false,
      capacity: old?.capacity ?? null,
      stacks,
      atMs: effect.atMs,
    });
    expect(effect.atMs).toBeGreaterThanOrEqual(old?.atMs ?? 0);
  }
}

/** What was sold and added accounts for what remains, which is never below nothing. */
function checkStock(effect: Effect, before: Rows, after: Rows): void {
  expect(effect.stock.length).toBeLessThanOrEqual(1);
  for (const { listing, added, taken, remaining } of effect.stock) {
    const [old, now] = [before, after].map(({ stock }) => stock.find((row) => row.listing === listing));
    expect(BigInt(old?.remaining ?? 0) + BigInt(added) - BigInt(taken)).toBe(BigInt(remaining));
    expect(now?.remaining).toBe(remaining);
    expect(remaining).toBeGreaterThanOrEqual(0);
    const sold = (row: typeof now) =>
      BigInt(row?.offered ?? 0) + BigInt(row?.refilled ?? 0) - BigInt(row?.remaining ?? 0);
    expect(sold(now) - sold(old)).toBe(BigInt(taken));
  }
  const changed = after.stock.filter(({ listing }) => !effect.stock.some((line) => line.listing === listing));
  for (const row of changed) expect(before.stock).toContainEqual(row);
}

/** What was given stays within stack limits and capacity, and purchases within their limit. */
function checkRules(effect: Effect, before: Rows, after: Rows): void {
  for (const { asset, delta, balance } of effect.entries) {
    const stackLimit = after.catalog.assets.get(asset)?.stackLimit ?? null;
    if (delta > 0 && stackLimit !== null) expect(balance).toBeLessThanOrEqual(stackLimit);
  }
  for (const { id, capacity, stacks } of effect.accounts) {
    const old = before.accounts.find((account) => account.id === id);
    if (capacity !== null && stacks > (old?.stacks ?? 0)) expect(stacks).toBeLessThanOrEqual(capacity);
  }
  for (const row of after.purchases) {
    if (before.purchases.includes(row)) continue;
    const [, , rule] = row.listing.split('/');
    const limit =
      rule === undefined
        ? after.catalog.listings.get(row.listing)?.perAccountLimit
        : after.catalog.rewardRules.get(rule)?.dailyLimit;
    expect(row.count).toBeLessThanOrEqual(limit ?? 0);
  }
}

/** It did what it was asked, to the unit. */
function checkIntent({ command, input }: Commanded, effect: Effect, before: Rows): void {
  const given = wanted(command.type, input, before);
  const got = new Map(effect.entries.map(({ account, asset, delta }) => [`${account} ${asset}`, delta]));
  expect(new Set(got.keys())).toEqual(new Set(given.keys()));
  for (const [key, delta] of given) expect(BigInt(got.get(key) ?? NaN)).toBe(delta);
  const limited = before.catalog.listings.get(String(input.get('listing')))?.limited === true;
  const taken = command.type === 'purchase' && limited ? [input.get('quantity')] : [];
  expect(effect.stock.map((line) => line.taken).filter((units) => units !== 0)).toEqual(taken);
}

/** The check that its type makes of operations on record finds nothing wrong with it. */
function checkRecord(
  { command, check }: Commanded,
  { effect, details }: { effect: Effect; details: JsonObject },
): void {
  const receipt = receiptOf(
    { id: 'o', type: command.type, actor: 'key:test', dryRun: false, details },
    effect,
  );
  expect(check({ home: command.home, receipt, stock: effect.stock })).toEqual([]);
}

/** What an accepted command must come to, by exact arithmetic over what it was made of. */
function wanted(type: string, input: Commanded['input'], { catalog }: Rows): Map<string, bigint> {
  const sums = new Map<string, bigint>();
  const add = (account: unknown, lines: readonly AssetQuantity[], times: number): void => {
    for (const { asset, quantity } of lines) {
      const key = `${String(account)} ${asset}`;
      sums.set(key, (sums.get(key) ?? 0n) + BigInt(quantity) * BigInt(times));
    }
  };
  const [account, from, to] = ['account', 'from', 'to'].map((member) => input.get(member));
  const assets = (input.get('assets') ?? []) as AssetQuantity[];
  const units = Number(input.get('quantity'));
  if (type === 'grant') add(account, assets, 1);
  if (type === 'consumption') add(account, assets, -1);
  if (type === 'transfer') {
    add(from, assets, -1);
    add(to, assets, 1);
  }
  if (type === 'purchase') {
    const sold = catalog.listings.get(String(input.get('listing')));
    add(account, sold?.price ?? [], -units);
    add(account, sold?.goods ?? [], units);
  }
  if (type === 'reward') {
    const { account: earner } = input.get('earning') as EarningOperation;
    add(earner, catalog.rewardRules.get(String(input.get('rule')))?.grant ?? [], 1);
  }
  if (type === 'sale') {
    const asset = String(input.get('asset'));
    add(account, [{ asset, quantity: units }], -1);
    add(account, catalog.assets.get(asset)?.sellPrice ?? [], units);
  }
  return sums;
}

/** The rows as they are with these in place of the old ones. */
function withChanges(world: Rows, changed: LedgerRows): Rows {
  const replaced = <Row>(old: readonly Row[], fresh: readonly Row[], keyOf: (row: Row) => string): Row[] => [
    ...new Map([...old, ...fresh].map((row) => [keyOf(row), row])).values(),
  ];
  return {
    catalog: world.catalog,
    accounts: replaced(world.accounts, changed.accounts, ({ id }) => id),
    holdings: replaced(world.holdings, changed.holdings, (row) => `${row.account} ${row.asset}`),
    stock: replaced(world.stock, changed.stock, ({ listing }) => listing),
    purchases: replaced(world.purchases, changed.purchases, (row) => `${row.account} ${row.listing}`),
  };
}

function find({ holdings }: Rows, account: string, asset: string) {
  return holdings.find((row) => row.account === account && row.asset === asset);
}

function quantityOf(world: Rows, account: string, asset: string): number {
  return find(world, account, asset)?.quantity ?? 0;
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
