import type { Repository } from '../../src/repository/repository.ts';
import type { Amounts } from './requests.ts';

/** What an account holds above zero; undefined: it does not exist. */
export async function balancesOf(repository: Repository, account: string): Promise<Amounts | undefined> {
  const inventory = await repository.inventory(account, { after: null, limit: 1_000 });
  if (inventory === undefined) return undefined;
  return Object.fromEntries(inventory.holdings.map(({ asset, quantity }) => [asset, quantity]));
}
