import type { Api } from './api.ts';
import { openMarket } from './market.ts';
import { servePair, serveReplica, type ServedReplica } from './served-replicas.ts';

/** Starts a replica on a new database that holds the market. */
export async function serveMarket(options: Parameters<typeof serveReplica>[0] = {}): Promise<ServedReplica> {
  const replica = await serveReplica(options);
  await openMarket(replica.api);
  return replica;
}

/** The same with two replicas. */
export async function serveMarketPair(): Promise<[Api, Api]> {
  const pair = await servePair();
  await openMarket(pair[0]);
  return pair;
}
