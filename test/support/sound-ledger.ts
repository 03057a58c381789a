import type { Command } from '../../src/domain/command.ts';
import type { ListingInput } from '../../src/domain/offer.ts';
import type { Receipt } from '../../src/domain/operation.ts';
import { quantityMax } from '../../src/domain/quantity.ts';
import { AccountEditor } from '../../src/execution/account-editor.ts';
import { CatalogEditor } from '../../src/execution/catalog-editor.ts';
import type { OperationRequest } from '../../src/execution/request.ts';
import { PostgresRepository } from '../../src/repository/postgres/repository.ts';
import type { TestDatabase } from './database.ts';
import { executorSettings, receiptOf, startExecutor, wordFor } from './executors.ts';
import { query } from './query.ts';
import { postgresSettings } from './repositories.ts';
import {
  buying,
  consuming,
  granting,
  request,
  restocking,
  rewarding,
  selling,
  transferring,
} from './requests.ts';
import { asset, experience, gold, listing, rewardRule, sword } from './shop.ts';

/** The operations of the small ledger on accounts, by name. */
export type SoundLedger = Readonly<Awaited<ReturnType<typeof makeSoundLedger>>>;

export const gem = asset('gem', { tradable: false });
export const potion = asset('potion', { kind: 'item', stackLimit: 99 });

/** A listing as a client puts it. */
export function offered(
  id: string,
  stock: number | null,
  rest: Partial<Omit<ListingInput, 'stock'>> = {},
): ListingInput {
  return { ...listing(id), ...rest, stock };
}

/**
 * Makes a small ledger in which everything has happened once, through the real executor and editors: all kinds of
 * operation and of listing, holdings that came and went, rejections, dry runs and replays, accounts without history.
 * Answers the receipts of the operations, by name, in their order.
 */
export async function makeSoundLedger({ url }: TestDatabase) {
  const repository = PostgresRepository.open(postgresSettings(url, 'sound ledger'), () => undefined);
  const { backoff } = executorSettings;
  const catalog = new CatalogEditor({ repository, backoff });
  const { executor, troubles } = startExecutor(repository);
  const make = async (command: Command, rest?: Partial<OperationRequest>): Promise<Receipt> =>
    receiptOf(await executor.execute(request(command, rest)));
  try {
    for (const row of [gold, gem, sword, potion, experience]) await catalog.putAsset(row);
    const listings = [
      offered('open', null),
      offered('limited', 20),
      offered('hourly', null, { perAccountLimit: 5, limitPeriodSeconds: 3600 }),
      offered('refilling', 3, { restock: { quantity: 2, everySeconds: 60, max: 10 } }),
      offered('cure', 8, {
        price: [{ asset: 'gem', quantity: 1 }],
        goods: [
          { asset: 'potion', quantity: 2 },
          { asset: 'experience', quantity: 5 },
        ],
        perAccountLimit: 4,
      }),
    ];
    for (const row of listings) await catalog.putListing(row, 'key:test');
    const thanks = rewardRule('thanks', {
      on: { type: 'grant', listing: null, asset: 'gold' },
      grant: [{ asset: 'gold', quantity: 3 }],
      dailyLimit: 2,
    });
    await catalog.putRewardRule(thanks);
    await new AccountEditor({ repository, backoff }).put('idle', { capacity: 3, properties: {} });

    const made = {
      aliceGrant: await make(granting('alice', { gold: 1000, gem: 50 })),
      bobGrant: await make(granting('bob', { gold: 500 })),
      carolGrant: await make(granting('carol', { gold: 40, potion: 7 })),
      aliceLimited: await make(buying('alice', 'limited', 3)),
      bobLimited: await make(buying('bob', 'limited', 2)),
      aliceOpen: await make(buying('alice', 'open')),
      aliceHourly: await make(buying('alice', 'hourly', 2)),
      bobHourly: await make(buying('bob', 'hourly', 1)),
      aliceCure: await make(buying('alice', 'cure', 3), { idempotencyKey: 'cure' }),
      bobRefilling: await (async () => {
        // As if time had passed, for which refills are due.
        await query(url, `update stock set refilled_at = refilled_at - interval '130 seconds'`);
        return await make(buying('bob', 'refilling', 6));
      })(),
      restocked: await make(restocking('limited', 10)),
      aliceToBob: await make(transferring('alice', 'bob', { gold: 100, sword: 1 })),
      bobToErin: await make(transferring('bob', 'erin', { gold: 25 })),
      aliceSale: await make(selling('alice', 'sword', 2)),
      doraReward: await (async () => {
        const { id } = await make(granting('dora', { gold: 5 }));
        // As if the operation were of that day, under which its reward is counted.
        const earning = { id, type: 'grant', atMs: Date.UTC(2001, 0, 1), position: quantityMax };
        return await make(rewarding('thanks', 'dora', earning), { actor: 'rewards', idempotencyKey: id });
      })(),
      carolConsumption: await make(consuming('carol', { potion: 7 })),
      erinGrant: await make(granting('erin', { gold: 5, experience: 1 })),
    };
    await catalog.putListing(offered('cure', 6, listings[4]), 'key:test');

    for (const [word, command, rest] of [
      ['done', granting('nobody', { gold: 1 }), { dryRun: true }],
      ['done', buying('alice', 'limited'), { dryRun: true }],
      ['replayed', buying('alice', 'cure', 3), { idempotencyKey: 'cure' }],
      ['insufficient_balance', consuming('carol', { gold: 1_000_000 }), {}],
      ['insufficient_balance', transferring('carol', 'never', { gold: 1_000_000 }), {}],
      ['out_of_stock', buying('alice', 'cure', 4), {}],
    ] as const) {
      const became = await wordFor(executor.execute(request(command, rest)));
      if (became !== word) throw new Error(`an operation that was to be ${word} was ${became}`);
    }
    const { defects, failedBatches } = troubles;
    if (defects.length + failedBatches.length > 0) throw new AggregateError(defects, 'the executor failed');
    return made;
  } finally {
    await executor.drain();
    await repository.close();
  }
}
