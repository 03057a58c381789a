import { CatalogEditor } from '../../src/execution/catalog-editor.ts';
import type { Executor } from '../../src/execution/executor.ts';
import { PostgresRepository } from '../../src/repository/postgres/repository.ts';
import { createTestDatabase } from '../support/database.ts';
import { executorSettings, startExecutor, wordFor } from '../support/executors.ts';
import { query } from '../support/query.ts';
import { postgresSettings } from '../support/repositories.ts';
import {
  buying,
  consuming,
  granting,
  request,
  restocking,
  selling,
  transferring,
} from '../support/requests.ts';
import { gold, sword } from '../support/shop.ts';
import { offered } from '../support/sound-ledger.ts';

/** A ledger that several replicas write to as fast as they can, until it is told to stop. */
export interface LiveLedger {
  readonly url: string;
  /** How many operations were carried out so far. */
  written(): number;
  /** Answers what became of operations that could not be carried out, and should have been. */
  stop(): Promise<readonly string[]>;
}

const replicasCount = 3;
const writersPerReplica = 12;
/** So few that they meet all the time, and so many that several transactions are under way at once. */
const accounts = Array.from({ length: 20 }, (_, i) => `p${i}`);

/**
 * Commits linger now and then after their operations were numbered, so that others that were numbered later are seen
 * before them: the case in which a reader of the feed must not trust the highest number.
 */
const lingeringCommits = `
  create function linger() returns trigger language plpgsql as $$
    begin
      if random() < 0.1 then perform pg_sleep(random() * 0.05); end if;
      return null;
    end
  $$;
  create constraint trigger linger after insert on operations
    deferrable initially deferred for each row execute function linger()`;

export async function startLiveLedger(): Promise<LiveLedger> {
  const { url } = await createTestDatabase();
  await query(url, lingeringCommits);
  const repositories = Array.from({ length: replicasCount }, (_, i) =>
    PostgresRepository.open(postgresSettings(url, `replica ${i}`), () => undefined),
  );
  const executors = repositories.map((repository) => startExecutor(repository, { batchMax: 2 }).executor);
  const [first] = repositories;
  if (first === undefined) throw new Error('there is no replica');
  const catalog = new CatalogEditor({ repository: first, backoff: executorSettings.backoff });
  await putCatalog(catalog);

  let stopped = false;
  let count = 0;
  const wrong: string[] = [];
  const write = async (executor: Executor): Promise<void> => {
    while (!stopped) {
      const word = await wordFor(executor.execute(request(anyCommand())));
      if (word === 'done') count += 1;
      else if (!expected.has(word)) wrong.push(word);
    }
  };
  const edit = async (): Promise<void> => {
    for (let i = 0; !stopped; i += 1) {
      // Limited, unlimited, and limited again with another stock: the stock goes on where it was.
      await catalog.putListing(offered('changing', i % 2 === 0 ? null : 100_000 + i), 'key:test');
      await catalog.putListing(offered('limited', 100_000 + i), 'key:test');
    }
  };
  const writing = [
    ...executors.flatMap((executor) => Array.from({ length: writersPerReplica }, () => write(executor))),
    edit(),
  ];
  return {
    url,
    written: () => count,
    stop: async () => {
      stopped = true;
      await Promise.all(writing);
      await Promise.all(executors.map((executor) => executor.drain()));
      await Promise.all(repositories.map((repository) => repository.close()));
      return wrong;
    },
  };
}

/** What may become of a random command. The catalog changes so often that a command may give up on it. */
const expected = new Set([
  'done',
  'insufficient_balance',
  'out_of_stock',
  'purchase_limit_reached',
  'account_not_found',
  'same_account',
  'catalog_conflict',
  'busy',
]);

async function putCatalog(catalog: CatalogEditor): Promise<void> {
  for (const row of [gold, sword]) await catalog.putAsset(row);
  for (const row of [
    offered('open', null),
    offered('limited', 100_000),
    offered('changing', 100_000),
    offered('refilling', 5, { restock: { quantity: 50, everySeconds: 1, max: 60 } }),
    offered('hasty', null, { perAccountLimit: 20, limitPeriodSeconds: 1 }),
  ])
    await catalog.putListing(row, 'key:test');
}

function anyCommand() {
  const [one, other] = [any(accounts), any(accounts)];
  switch (any(['grant', 'buy', 'buy', 'buy', 'transfer', 'sell', 'consume', 'restock', 'welcome'])) {
    case 'grant':
      return granting(one, { gold: 100 });
    case 'transfer':
      return transferring(one, other, { gold: 7 });
    case 'sell':
      return selling(one, 'sword');
    case 'consume':
      return consuming(one, { gold: 1 });
    case 'restock':
      return restocking(any(['limited', 'refilling']), 2);
    case 'welcome':
      return granting(`new-${Math.floor(Math.random() * 1e9)}`, { gold: 1, sword: 1 });
    default:
      return buying(one, any(['open', 'limited', 'changing', 'refilling', 'hasty']));
  }
}

function any<Choice>(choices: readonly Choice[]): Choice {
  const choice = choices[Math.floor(Math.random() * choices.length)];
  if (choice === undefined) throw new Error('there is nothing to choose from');
  return choice;
}
