import { timestamp } from '../../domain/time.ts';
import { bucketOf } from '../bucket.ts';
import type { Changes } from '../repository.ts';
import type { Value } from './pipeline.ts';
import * as statements from './statements.ts';
import type { Statement } from './statements.ts';

export interface Saving {
  readonly statement: Statement;
  readonly values: readonly Value[];
}

/** The statements that keep these changes, one a table: many rows cost little more than one. */
export function savings(changes: Changes): Saving[] {
  return [
    ...saveOperations(changes.operations ?? []),
    ...saveLedger(changes),
    ...saveProfiles(changes.profiles ?? []),
    ...saveCatalog(changes),
  ];
}

function saveOperations(operations: NonNullable<Changes['operations']>): Saving[] {
  if (operations.length === 0) return [];
  const entries = operations.flatMap((operation) =>
    operation.entries.map((entry) => ({ ...entry, operation })),
  );
  return [
    { statement: statements.announcePositions, values: [] },
    {
      statement: statements.saveOperations,
      values: [
        operations.map(({ id }) => id),
        operations.map(({ home }) => bucketOf(home)),
        operations.map(({ home }) => home),
        operations.map(({ type }) => type),
        operations.map(({ atMs }) => timestamp(atMs)),
        operations.map(({ actor }) => actor),
        operations.map(({ idempotencyKey }) => idempotencyKey),
        operations.map(({ requestHash }) => requestHash),
        operations.map(({ receipt }) => receipt),
        operations.map(({ stock }) => (stock.length === 0 ? null : JSON.stringify(stock))),
      ],
    },
    ...some(entries, {
      statement: statements.saveEntries,
      values: [
        entries.map(({ account }) => account),
        entries.map(({ version }) => version),
        entries.map(({ asset }) => asset),
        entries.map(({ account }) => bucketOf(account)),
        entries.map(({ operation }) => operation.id),
        entries.map(({ operation }) => operation.type),
        entries.map(({ operation }) => timestamp(operation.atMs)),
        entries.map(({ delta }) => delta),
        entries.map(({ balance }) => balance),
      ],
    }),
  ];
}

function saveLedger({ accounts = [], holdings = [], purchases = [], stock = [] }: Changes): Saving[] {
  return [
    ...some(accounts, {
      statement: statements.saveAccounts,
      values: [
        accounts.map(({ id }) => id),
        accounts.map(({ id }) => bucketOf(id)),
        accounts.map(({ version }) => version),
        accounts.map(({ stacks }) => stacks),
        accounts.map(({ atMs }) => (atMs === null ? null : timestamp(atMs))),
      ],
    }),
    ...some(holdings, {
      statement: statements.saveHoldings,
      values: [
        holdings.map(({ account }) => account),
        holdings.map(({ asset }) => asset),
        holdings.map(({ account }) => bucketOf(account)),
        holdings.map(({ quantity }) => quantity),
        holdings.map(({ reserved }) => reserved),
      ],
    }),
    ...some(purchases, {
      statement: statements.savePurchaseCounts,
      values: [
        purchases.map(({ account }) => account),
        purchases.map(({ listing }) => listing),
        purchases.map(({ account }) => bucketOf(account)),
        purchases.map(({ count }) => count),
        purchases.map(({ sinceMs }) => timestamp(sinceMs)),
      ],
    }),
    ...some(stock, {
      statement: statements.saveStock,
      values: [
        stock.map(({ listing }) => listing),
        stock.map(({ offered }) => offered),
        stock.map(({ refilled }) => refilled),
        stock.map(({ remaining }) => remaining),
        stock.map(({ refilledAtMs }) => timestamp(refilledAtMs)),
      ],
    }),
  ];
}

function saveProfiles(profiles: NonNullable<Changes['profiles']>): Saving[] {
  return some(profiles, {
    statement: statements.saveProfiles,
    values: [
      profiles.map(({ id }) => id),
      profiles.map(({ id }) => bucketOf(id)),
      profiles.map(({ capacity }) => capacity),
      profiles.map(({ properties }) => JSON.stringify(properties)),
    ],
  });
}

function saveCatalog({ assets = [], listings = [], rewardRules = [] }: Changes): Saving[] {
  return [
    ...some(assets, {
      statement: statements.saveAssets,
      values: [
        assets.map(({ id }) => id),
        assets.map(({ name }) => name),
        assets.map(({ kind }) => kind),
        assets.map(({ stackLimit }) => stackLimit),
        assets.map(({ tradable }) => tradable),
        assets.map(({ sellPrice }) => (sellPrice === null ? null : JSON.stringify(sellPrice))),
        assets.map(({ tags }) => JSON.stringify(tags)),
        assets.map(({ properties }) => JSON.stringify(properties)),
      ],
    }),
    ...some(listings, {
      statement: statements.saveListings,
      values: [
        listings.map(({ id }) => id),
        listings.map(({ price }) => JSON.stringify(price)),
        listings.map(({ goods }) => JSON.stringify(goods)),
        listings.map(({ limited }) => limited),
        listings.map(({ perAccountLimit }) => perAccountLimit),
        listings.map(({ limitPeriodSeconds }) => limitPeriodSeconds),
        listings.map(({ opensAtMs }) => (opensAtMs === null ? null : timestamp(opensAtMs))),
        listings.map(({ closesAtMs }) => (closesAtMs === null ? null : timestamp(closesAtMs))),
        listings.map(({ restock }) => (restock === null ? null : JSON.stringify(restock))),
      ],
    }),
    ...some(rewardRules, {
      statement: statements.saveRewardRules,
      values: [
        rewardRules.map(({ id }) => id),
        rewardRules.map(({ on }) => on.type),
        rewardRules.map(({ on }) => on.listing),
        rewardRules.map(({ on }) => on.asset),
        rewardRules.map(({ grant }) => JSON.stringify(grant)),
        rewardRules.map(({ dailyLimit }) => dailyLimit),
        rewardRules.map(({ enabled }) => enabled),
        rewardRules.map(({ since }) => since),
      ],
    }),
    ...some([...assets, ...listings, ...rewardRules], {
      statement: statements.raiseCatalogVersion,
      values: [],
    }),
  ];
}

/** The saving, unless there is nothing to save. */
function some(rows: readonly unknown[], saving: Saving): Saving[] {
  return rows.length === 0 ? [] : [saving];
}
