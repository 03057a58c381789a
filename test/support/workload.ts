import type { Line } from './api.ts';
import { Random } from './random.ts';

/** One operation to be sent under its key. */
export interface PlannedOperation {
  readonly key: string;
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** The account that its key belongs to; a restock has none. */
  readonly account: string | null;
  /** What it does when it is accepted: account, then asset, to the difference. Settled by the rules, not by the service. */
  readonly effect: Effect;
  /** Units of limited stock that it takes, or, below zero, adds. */
  readonly sold: Readonly<Record<string, number>>;
  /** Sent twice at the same moment, to different replicas. */
  readonly doubled: boolean;
}

export type Effect = Readonly<Record<string, Readonly<Record<string, number>>>>;

export const workloadAccounts = Array.from({ length: 16 }, (_, i) => `load.${i}`);

export const workloadAssets: Readonly<Record<string, object>> = {
  gold: { name: 'Gold', kind: 'currency' },
  gem: { name: 'Gem', kind: 'currency' },
  sword: { name: 'Sword', kind: 'item', sellPrice: [{ asset: 'gold', quantity: 4 }] },
  shield: { name: 'Shield', kind: 'item' },
};

interface Offer {
  readonly price: Readonly<Record<string, number>>;
  readonly goods: Readonly<Record<string, number>>;
  readonly stock: number | null;
}

/** One that never runs out, one that does, and one whose price and goods share an asset. */
export function workloadListings(operations: number): Readonly<Record<string, Offer>> {
  return {
    sword: { price: { gold: 10 }, goods: { sword: 1 }, stock: null },
    shield: { price: { gold: 2 }, goods: { shield: 1 }, stock: Math.ceil(operations / 10) },
    exchange: { price: { gold: 3, gem: 1 }, goods: { gem: 2 }, stock: null },
  };
}

export function linesOf(quantities: Readonly<Record<string, number>>): Line[] {
  return Object.entries(quantities).map(([asset, quantity]) => ({ asset, quantity }));
}

/** So many operations of every kind, the same for the same seed; a tenth of them to be sent twice. */
export function planWorkload({
  seed,
  operations,
  prefix = 'op',
}: {
  seed: number;
  operations: number;
  prefix?: string;
}): PlannedOperation[] {
  let left = operations;
  return [...workloadWhile(() => left-- > 0, { seed, operations, prefix })];
}

/** The same, made as they are asked for, for as long as they are wanted. `operations`: of how many stock is one in ten. */
export function* workloadWhile(
  isWanted: () => boolean,
  { seed, operations, prefix = 'op' }: { seed: number; operations: number; prefix?: string },
): Generator<PlannedOperation, void, void> {
  const random = new Random(seed);
  const listings = workloadListings(operations);
  for (let i = 0; isWanted(); i += 1)
    yield { key: `${prefix}-${i}`, doubled: random.chance(0.1), ...planOne(random, listings) };
}

type Planned = Omit<PlannedOperation, 'key' | 'doubled'>;

function planOne(random: Random, listings: Readonly<Record<string, Offer>>): Planned {
  const account = random.pick(workloadAccounts);
  const kind = random.next();
  if (kind < 0.2) return grant(account, { [random.pick(['gold', 'gem'])]: random.between(1, 60) });
  if (kind < 0.3) return consumption(account, random);
  if (kind < 0.5) return transfer(account, random);
  if (kind < 0.9) return purchase(account, random, listings);
  if (kind < 0.98) return sale(account, random.between(1, 3));
  return restock(random.between(1, 3));
}

function grant(account: string, quantities: Readonly<Record<string, number>>): Planned {
  return {
    path: '/v1/grants',
    body: { account, assets: linesOf(quantities) },
    account,
    effect: { [account]: quantities },
    sold: {},
  };
}

function consumption(account: string, random: Random): Planned {
  const asset = random.pick(['gold', 'gem', 'sword']);
  const [first, second] = [random.between(1, 9), random.between(1, 9)];
  return {
    path: '/v1/consumptions',
    // The same asset twice: the lines add up.
    body: { account, assets: [...linesOf({ [asset]: first }), ...linesOf({ [asset]: second })] },
    account,
    effect: { [account]: { [asset]: -(first + second) } },
    sold: {},
  };
}

function transfer(from: string, random: Random): Planned {
  const to = random.pick(workloadAccounts.filter((account) => account !== from));
  const quantities = {
    gold: random.between(1, 30),
    ...(random.chance(0.3) ? { gem: random.between(1, 5) } : {}),
  };
  const negated = Object.fromEntries(
    Object.entries(quantities).map(([asset, quantity]) => [asset, -quantity]),
  );
  return {
    path: '/v1/transfers',
    body: { from, to, assets: linesOf(quantities) },
    account: from,
    effect: { [from]: negated, [to]: quantities },
    sold: {},
  };
}

function purchase(account: string, random: Random, listings: Readonly<Record<string, Offer>>): Planned {
  const listing = random.pick(Object.keys(listings));
  const quantity = random.between(1, 3);
  const { price, goods, stock } = listings[listing] ?? { price: {}, goods: {}, stock: null };
  const effect: Record<string, number> = {};
  for (const [asset, each] of Object.entries(price)) effect[asset] = (effect[asset] ?? 0) - each * quantity;
  for (const [asset, each] of Object.entries(goods)) effect[asset] = (effect[asset] ?? 0) + each * quantity;
  return {
    path: '/v1/purchases',
    body: { account, listing, quantity },
    account,
    effect: { [account]: effect },
    sold: stock === null ? {} : { [listing]: quantity },
  };
}

function sale(account: string, quantity: number): Planned {
  return {
    path: '/v1/sales',
    body: { account, asset: 'sword', quantity },
    account,
    effect: { [account]: { sword: -quantity, gold: 4 * quantity } },
    sold: {},
  };
}

function restock(quantity: number): Planned {
  return {
    path: '/v1/listings/shield/restock',
    body: { quantity },
    account: null,
    effect: {},
    sold: { shield: -quantity },
  };
}
