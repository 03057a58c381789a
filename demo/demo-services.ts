import type { ReplicaProcess } from '../src/lifecycle/replica-process.ts';
import { currency, limitedListing, unlimitedListing, type Shop, type ShopService } from '../load/shop.ts';
import { execute } from '../load/throwaway-postgres.ts';
import { rowLockSchema } from './row-lock-database.ts';
import { startDemoService, type DemoServiceName } from './service-process.ts';
import { unsafeMutexSchema } from './unsafe-mutex-service.ts';

const apiKey = 'a-key-for-the-demonstration';

/** Starts so many replicas of one of the two other services on an empty database, with the shop in it. */
export async function startOther(
  name: DemoServiceName,
  { databaseUrl, replicas: count, shop }: { databaseUrl: string; replicas: number; shop: Shop },
): Promise<ShopService> {
  await execute(databaseUrl, put[name](shop));
  const replicas: ReplicaProcess[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(replicas.map(async (replica) => await replica.stop()));
  };
  try {
    for (let i = 0; i < count; i += 1) replicas.push(await startDemoService(name, { databaseUrl, apiKey }));
  } catch (error) {
    await stop();
    throw error;
  }
  return { replicas, headers: { authorization: `Bearer ${apiKey}` }, databaseUrl, stop };
}

/** The tables, and the shop in them. Account names are ours, and hold nothing that would need to be escaped. */
const put: Readonly<Record<DemoServiceName, (shop: Shop) => string>> = {
  'unsafe-mutex': (shop) => `
    ${unsafeMutexSchema}
    insert into listings values
      ('${limitedListing}', ${shop.price}, '${limitedListing}'), ('${unlimitedListing}', ${shop.price}, '${unlimitedListing}');
    insert into stock values ('${limitedListing}', ${shop.stock});
    insert into holdings
      select account, asset, case asset when '${currency}' then ${shop.gold} else 0 end
      from unnest(${accountArray(shop)}) as account,
        unnest(array['${currency}', '${limitedListing}', '${unlimitedListing}']) as asset;`,
  'row-lock': (shop) => `
    ${rowLockSchema}
    insert into listings
      select name, json_build_array(json_build_object('asset', '${currency}', 'quantity', ${shop.price})),
        json_build_array(json_build_object('asset', name, 'quantity', 1)), name = '${limitedListing}'
      from unnest(array['${limitedListing}', '${unlimitedListing}']) as name;
    insert into stock values ('${limitedListing}', ${shop.stock});
    insert into accounts (id) select unnest(${accountArray(shop)});
    insert into holdings select account, '${currency}', ${shop.gold} from unnest(${accountArray(shop)}) as account;`,
};

function accountArray({ accounts }: Shop): string {
  return `array[${accounts.map((account) => `'${account}'`).join(', ')}]`;
}
