import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { Config } from '../config/settings.ts';
import type { Executor } from '../execution/executor.ts';
import { ConsumerLoop } from '../feed/consumer-loop.ts';
import type { Consumer } from '../feed/consumer.ts';
import { Rewards } from '../feed/rewards/rewards.ts';
import { Pacer } from '../feed/pacer.ts';
import type { FeedTail } from '../feed/tail.ts';
import { sleepUntil } from '../feed/sleep-until.ts';
import { Deliverer } from '../feed/webhooks/deliverer.ts';
import { retryDelaysMs } from '../feed/webhooks/retry-plan.ts';
import { Sender } from '../feed/webhooks/sender.ts';
import { WebhooksConsumer } from '../feed/webhooks/webhooks-consumer.ts';
import { allJobs } from '../jobs/index.ts';
import { JobRunner } from '../jobs/job-runner.ts';
import type { PostgresRepository } from '../repository/postgres/repository.ts';
import type { Verifications } from '../verification/verifications.ts';
import type { BackgroundTasks } from './background-tasks.ts';
import type { OpenedRelay } from './relay.ts';

/** Consumers that a replica may work. */
export const consumersMax = 16;

/** What background work is made of. */
interface Parts {
  readonly config: Config;
  readonly repository: PostgresRepository;
  readonly executor: Executor;
  readonly tail: FeedTail;
  readonly verifications: Verifications;
  readonly tasks: BackgroundTasks;
  /** Null: operations are not relayed. */
  readonly relay: OpenedRelay | null;
  readonly log: Logger;
}

/** Composes what a replica does beside answering requests, and starts it. */
export function startBackground(parts: Parts): void {
  const { config, executor, tail, tasks, relay } = parts;
  tasks.start('chores', 'look where the feed ends', async ({ stopping }) => {
    await tail.run(stopping);
  });
  if (!config.BACKGROUND_WORK) return;
  if (relay !== null) {
    // A chore, so that it outlives the consumer that needs it.
    tasks.start('chores', 'keep a connection to NATS', async ({ stopping }) => {
      await relay.broker.run(stopping);
    });
  }
  const rewards = rewardsOf(parts);
  const inFlight = (): number => executor.inFlight - rewards.inFlight;
  const pacer = new Pacer({ inFlight, yieldAt: config.CONSUMER_YIELD_AT });
  startConsumers(parts, { rewards, pacer });
  startJobs(parts, pacer);
}

function startConsumers(parts: Parts, { rewards, pacer }: { rewards: Rewards; pacer: Pacer }): void {
  const { config, repository, tail, tasks, log } = parts;
  for (const consumer of consumersOf({ ...parts, rewards })) {
    const loop = new ConsumerLoop({
      consumer,
      cursors: repository.consumers,
      tail,
      pacer,
      owner: `${hostname()}:${process.pid}`,
      settings: {
        pageRows: config.CONSUMER_PAGE_ROWS,
        attemptsMax: config.CONSUMER_ATTEMPTS_MAX,
        backoffMs: config.CONSUMER_RETRY_BACKOFF,
        backoffMsMax: config.CONSUMER_RETRY_BACKOFF_MAX,
        turnTimeoutMs: config.CONSUMER_TURN_TIMEOUT,
        turnMs: config.CONSUMER_TURN,
        lookAgainMs: config.CONSUMER_LOOK_AGAIN,
      },
      log,
    });
    tasks.start('consumers', consumer.name, async (signals) => {
      await loop.run(signals);
    });
  }
}

function startJobs(parts: Parts, pacer: Pacer): void {
  const { config, repository, verifications, tasks, log } = parts;
  const runner = new JobRunner({
    pool: repository.background,
    owners: repository.jobOwners,
    jobs: allJobs({
      verifications,
      jobRemains: repository.jobRemains,
      idempotencyKeys: repository.idempotencyKeys,
      webhookQueue: repository.webhookQueue,
      deliverer: delivererOf(parts, pacer),
      settings: {
        verifySchedule: config.VERIFY_SCHEDULE,
        idempotencyKeysKeptMs: config.IDEMPOTENCY_KEY_RETENTION,
        webhookDeliveriesKeptMs: config.WEBHOOK_DELIVERY_RETENTION,
      },
      log,
    }),
    tasks,
    settings: {
      concurrency: config.JOB_CONCURRENCY,
      pollIntervalMs: config.JOB_POLL_INTERVAL,
      namedStatements: config.DB_NAMED_STATEMENTS,
    },
    log,
  });
  tasks.start('jobs', 'take jobs', async (signals) => {
    await runner.run(signals);
  });
}

/** Of jobs: each that runs, and what takes them. */
export function jobTasksMax(config: Config): number {
  return config.JOB_CONCURRENCY + 1;
}

/** Every consumer of the feed. A new one is a file in `src/feed/` and a line here. */
function consumersOf({
  repository,
  rewards,
  relay,
}: Pick<Parts, 'repository' | 'relay'> & { readonly rewards: Rewards }): readonly Consumer[] {
  return [
    rewards,
    ...(relay === null ? [] : [relay.consumer]),
    new WebhooksConsumer({ webhooks: repository.webhooks }),
  ];
}

function rewardsOf({ config, repository, executor, log }: Parts): Rewards {
  // Of a short queue, callers are left the most.
  const atOnceMax = Math.min(rewardsAtOnceMax, Math.ceil(config.QUEUE_MAX / 4));
  return new Rewards({ reads: repository, executor, log, atOnceMax });
}

/** Rewards in the executor at once, at most: callers who come meanwhile find them in their batch, and wait for it. */
const rewardsAtOnceMax = 64;

/** Sends to webhooks, over connections that are closed when no job needs them any more. */
function delivererOf({ config, repository, tasks, log }: Parts, pacer: Pacer): Deliverer {
  const sender = new Sender({
    timeoutMs: config.WEBHOOK_TIMEOUT,
    allowPrivate: config.WEBHOOK_ALLOW_PRIVATE,
  });
  tasks.start('chores', 'keep connections to webhooks', async ({ stopping }) => {
    await sleepUntil(null, { signal: stopping });
    sender.close();
  });
  return new Deliverer({
    queue: repository.webhookQueue,
    sender,
    pacer,
    settings: {
      concurrency: config.WEBHOOK_CONCURRENCY,
      retries: {
        attemptsMax: config.WEBHOOK_ATTEMPTS_MAX,
        delaysMs: retryDelaysMs,
        random: Math.random,
      },
      disableAfterMs: config.WEBHOOK_DISABLE_AFTER,
    },
    log,
  });
}
