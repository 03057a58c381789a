import type { Receipt } from '../../src/domain/operation.ts';
import type { Repository } from '../../src/repository/repository.ts';

/** What the history of a ledger comes to, added up in the order of the feed. */
export interface ReplayedLedger {
  readonly receipts: readonly Receipt[];
  /** Account, a space, asset → quantity. */
  readonly holdings: ReadonlyMap<string, number>;
  readonly versions: ReadonlyMap<string, number>;
  /** Everything that does not follow from what came before it, in words. */
  readonly faults: readonly string[];
}

/** Adds up the whole feed, beginning with these holdings, and compares the end with what the accounts show. */
export async function replayLedger(
  repository: Repository,
  opening: ReadonlyMap<string, number> = new Map(),
): Promise<ReplayedLedger> {
  const holdings = new Map(opening);
  const versions = new Map<string, number>();
  const faults: string[] = [];
  const receipts: Receipt[] = [];
  for (let after = 0; ;) {
    const page = await repository.feed(after, 500);
    if (page.length === 0) break;
    after = page.at(-1)?.position ?? after;
    receipts.push(...page.map(({ receipt }) => JSON.parse(receipt) as Receipt));
  }
  for (const { id, type, entries, accounts } of receipts) {
    for (const { account, asset, delta, balance } of entries) {
      const key = `${account} ${asset}`;
      const sum = (holdings.get(key) ?? 0) + delta;
      if (sum !== balance) faults.push(`${type} ${id} says ${key} is ${balance}, and it is ${sum}`);
      if (sum < 0) faults.push(`${type} ${id} leaves ${sum} of ${key}`);
      holdings.set(key, sum);
    }
    for (const [account, { version }] of Object.entries(accounts)) {
      const next = (versions.get(account) ?? 0) + 1;
      if (version !== next) faults.push(`${type} ${id} is version ${version} of ${account}, not ${next}`);
      versions.set(account, next);
    }
  }
  faults.push(...(await differences(repository, holdings, versions)));
  return { receipts, holdings, versions, faults };
}

async function differences(
  repository: Repository,
  holdings: ReadonlyMap<string, number>,
  versions: ReadonlyMap<string, number>,
): Promise<string[]> {
  const faults: string[] = [];
  for (const [account, version] of versions) {
    const shown = await repository.inventory(account, { after: null, limit: 1_000 });
    if (shown?.version !== version)
      faults.push(`${account} is at version ${shown?.version ?? 'none'}, not ${version}`);
    const owned = new Map(shown?.holdings.map(({ asset, quantity }) => [asset, quantity]));
    for (const [key, quantity] of holdings) {
      const [owner, asset = ''] = key.split(' ');
      if (owner !== account) continue;
      if ((owned.get(asset) ?? 0) !== quantity)
        faults.push(`${key} shows ${owned.get(asset) ?? 0}, and its entries come to ${quantity}`);
    }
  }
  return faults;
}
