import type { Repository } from '../../src/repository/repository.ts';
import type { World } from './repositories.ts';
import { until } from './until.ts';

/** Three replicas on one database, named "one", "two" and "three" to the observer. */
export async function replicas(
  world: World,
  settings?: { lockTimeoutMs?: number },
): Promise<[Repository, Repository, Repository]> {
  const named = (name: string): Repository => world.replica(name, settings);
  const all: [Repository, Repository, Repository] = [named('one'), named('two'), named('three')];
  await Promise.all(all.map((replica) => replica.ping()));
  return all;
}

/** Resolves when one replica is seen to wait for a lock that the other holds. */
export async function waiting(world: World, waiter: string, holder: string): Promise<void> {
  await until(`${waiter} waits for ${holder}`, async () => (await world.blockersOf(waiter)).includes(holder));
}
