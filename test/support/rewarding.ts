import { expect } from 'vitest';
import type { Receipt } from '../../src/domain/operation.ts';
import type { Executor } from '../../src/execution/executor.ts';
import { Rewards } from '../../src/feed/rewards/rewards.ts';
import type { FeedOperation, Turn } from '../../src/repository/consumers.ts';
import type { Repository } from '../../src/repository/repository.ts';
import { alone } from './consumer-world.ts';

/** The operations of the feed as consumers get them, from the beginning. */
export async function feedOperations(repository: Repository): Promise<FeedOperation[]> {
  const feed = await repository.feed(0, 10_000);
  return await Promise.all(
    feed.map(async ({ position, receipt }) => {
      const { id, type, at } = JSON.parse(receipt) as Receipt;
      const home = (await repository.operation(id))?.home ?? '';
      return { position, id, type, home, atMs: Date.parse(at), receipt };
    }),
  );
}

/** A turn that nothing is kept of but the reasons for which operations were parked. */
export class ParkingTurn implements Turn {
  readonly parked = new Map<string, string>();

  park({ id }: FeedOperation, reason: string): void {
    if (this.parked.has(id)) throw new Error(`operation ${id} is parked twice`);
    this.parked.set(id, reason);
  }

  deliver(): never {
    throw new Error('nothing is delivered here');
  }

  enqueue(): void {
    throw new Error('rewards need no jobs');
  }
}

/** Has the consumer handle these operations, and answers what it parked. */
export async function handleRewards(
  deps: {
    repository: Repository;
    /** Default: the repository. */
    reads?: Pick<Repository, 'enabledRewardRules'>;
    executor: Executor;
    atOnceMax?: number;
  },
  operations: readonly FeedOperation[],
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const { repository, reads = repository, executor, atOnceMax = 64 } = deps;
  const turn = new ParkingTurn();
  const logged: unknown[] = [];
  const log = { warn: (fields: object) => logged.push(fields) };
  const handle = await new Rewards({ reads, executor, log, atOnceMax }).prepare();
  await handle?.(operations, turn, alone(signal));
  // Whatever is parked is told of.
  expect(logged).toEqual([...turn.parked].map(([operation, reason]) => ({ operation, reason })));
  return turn.parked;
}
