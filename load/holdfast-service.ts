import { randomBytes } from 'node:crypto';
import { startReplica, type ReplicaProcess } from '../src/lifecycle/replica-process.ts';
import { migrateToLatest } from '../src/repository/postgres/migrate.ts';
import { runLoad } from './generator.ts';
import { currency, limitedListing, unlimitedListing, type Shop, type ShopService } from './shop.ts';

/** Connections that open the accounts. */
const openersMax = 32;
const catalogMsMax = 30_000;

/**
 * Starts so many replicas of Holdfast on an empty database, and puts up the shop through its interface. Everything is
 * on, as in production: keys, authentication, entries, a log line for each request (to /dev/null).
 */
export async function startHoldfast({
  entry,
  databaseUrl,
  replicas: count,
  shop,
  settings = {},
}: {
  /** The command line's file. */
  entry: string;
  databaseUrl: string;
  replicas: number;
  shop: Shop;
  /** On top of the defaults. */
  settings?: Readonly<Record<string, string>>;
}): Promise<ShopService> {
  await migrateToLatest({ connectionString: databaseUrl });
  const key = `hf_${randomBytes(24).toString('base64url')}`;
  const env = {
    ...process.env,
    NODE_ENV: 'development',
    LOG_LEVEL: 'info',
    HOST: '127.0.0.1',
    PORT: '0',
    DATABASE_URL: databaseUrl,
    ADMIN_API_KEY: key,
    ...settings,
  };
  const headers = { authorization: `Bearer ${key}` };
  const replicas: ReplicaProcess[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(replicas.map(async (replica) => await replica.stop()));
  };
  try {
    // One after another: side by side they take as long on two processors, and longer to give up.
    for (let i = 0; i < count; i += 1) replicas.push(await startReplica({ entry, env, output: 'ignore' }));
    const urls = replicas.map(({ url }) => url);
    await putUpShop(urls, headers, shop);
    return { replicas, headers, databaseUrl, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Offers more units of the limited listing. */
export async function restock({ replicas, headers }: ShopService, quantity: number): Promise<void> {
  const [first] = replicas;
  if (first !== undefined)
    await send('POST', `${first.url}/v1/listings/${limitedListing}/restock`, headers, { quantity });
}

/** Puts up the shop through the interface of these replicas. */
export async function putUpShop(
  urls: readonly string[],
  headers: Readonly<Record<string, string>>,
  { accounts, gold, price, stock }: Shop,
): Promise<void> {
  const [url = ''] = urls;
  const listing = (asset: string): object => ({
    price: [{ asset: currency, quantity: price }],
    goods: [{ asset, quantity: 1 }],
  });
  await send('PUT', `${url}/v1/assets/${currency}`, headers, { name: 'Gold', kind: 'currency' });
  for (const name of [limitedListing, unlimitedListing])
    await send('PUT', `${url}/v1/assets/${name}`, headers, { name, kind: 'item' });
  await send('PUT', `${url}/v1/listings/${unlimitedListing}`, headers, listing(unlimitedListing));
  await send('PUT', `${url}/v1/listings/${limitedListing}`, headers, { ...listing(limitedListing), stock });

  const left = [...accounts];
  const { answeredByStatus } = await runLoad({
    targets: urls,
    connections: Math.min(openersMax, accounts.length),
    path: '/v1/grants',
    headers,
    next: () => {
      const account = left.pop();
      if (account === undefined) return undefined;
      const assets = [{ asset: currency, quantity: gold }];
      return { key: `open-${account}`, body: JSON.stringify({ account, assets }) };
    },
  });
  if (answeredByStatus.get(201) !== accounts.length) throw new Error('not every account could be opened');
}

/** Asks a service for something that must not fail. */
export async function send(
  method: 'PUT' | 'POST',
  url: string,
  headers: Readonly<Record<string, string>>,
  body: object,
): Promise<void> {
  const response = await fetch(url, {
    method,
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(catalogMsMax),
  });
  if (!response.ok) throw new Error(`${method} ${url} was answered ${await response.text()}`);
}
