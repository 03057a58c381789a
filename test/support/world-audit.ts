import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '@nats-io/transport-node';
import { expect } from 'vitest';
import { answerFaults } from '../../load/audits/answer-audit.ts';
import { readBackgroundState, type BackgroundState } from '../../load/audits/background-state.ts';
import { deliveryFaults } from '../../load/audits/delivery-audit.ts';
import { feedFaults, historyFaults } from '../../load/audits/feed-audit.ts';
import { readOperations, type RecordedOperation } from '../../load/audits/recorded-operations.ts';
import { relayFaults } from '../../load/audits/relay-audit.ts';
import { rewardFaults, rewardsDue } from '../../load/audits/reward-audit.ts';
import type { BusyRun } from './busy-clients.ts';
import type { BusyWorld } from './busy-world.ts';
import { relayedMessages } from './relayed-messages.ts';
import { verifyDatabase } from './verifying.ts';

const consumers = ['rewards', 'webhooks', 'relay'];
const askEveryMs = 100;
const askMsMax = 90_000;

/** What must be true of a world when its clients have gone and its consumers have caught up: all lists are empty. */
export interface WorldFaults {
  readonly answers: readonly string[];
  readonly history: readonly string[];
  readonly rewards: readonly string[];
  readonly deliveries: readonly (readonly string[])[];
  readonly forged: readonly string[];
  readonly relay: readonly string[];
  readonly followers: readonly string[];
  readonly ledger: readonly unknown[];
}

/** How a world is that has lost nothing and done nothing twice. */
export const faultless: WorldFaults = {
  answers: [],
  history: [],
  rewards: [],
  deliveries: [[], [], []],
  forged: [],
  relay: [],
  followers: [],
  ledger: [],
};

/** How long consumers may take to catch up after everything that was done to them: what the service promises. */
export const catchUpMsMax = 10_000;

/** Resolves with how many milliseconds of the database’s clock it took until every consumer had passed all operations. */
export async function caughtUp({ database }: BusyWorld): Promise<number> {
  const began = await readBackgroundState(database.url, consumers);
  const done = await stateOnce(database.url, ({ behind }) => Object.keys(behind).length === 0);
  const ms = done.atMs - began.atMs;
  process.stdout.write(`consumers had caught up ${Math.round(ms)} ms after the load\n`);
  return ms;
}

/** Resolves when no delivery and no job is left to be done, with what was given up. */
export async function settled({ database }: BusyWorld): Promise<BackgroundState> {
  return await stateOnce(
    database.url,
    ({ undelivered, jobs, givenUp }) => givenUp > 0 || (undelivered === 0 && jobs === 0),
  );
}

/** Compares all that follows from the operations with the operations. */
export async function auditWorld(world: BusyWorld, run: BusyRun): Promise<WorldFaults> {
  const operations = await readOperations(world.database.url);
  const receipts = [...run.outcomes.values()].flatMap((outcome) =>
    outcome.kind === 'accepted' ? [outcome.text] : [],
  );
  await followed(world, operations);
  const { discrepancies } = await verifyDatabase(world.database.url, { pageRows: 500 });
  return {
    answers: answerFaults(operations, receipts, world.since),
    history: historyFaults(operations),
    rewards: rewardFaults(operations, world.rules),
    deliveries: world.webhooks.map((webhook) =>
      deliveryFaults(operations, webhook, webhook.endpoint.acknowledged),
    ),
    forged: world.webhooks.flatMap(({ endpoint }) => endpoint.forged),
    relay: relayFaults(operations, await messagesOf(world)),
    followers: feedFaults(operations, world.follower.seen),
    ledger: discrepancies,
  };
}

/** Fails unless enough went on for the audit to say something: each kind of trouble came up. */
export async function expectBusy(world: BusyWorld, run: BusyRun): Promise<void> {
  const operations = await readOperations(world.database.url);
  const shares = world.rules.map((rule) => rewardsDue(operations, rule));
  const [steady, failing] = world.webhooks;
  process.stdout.write(
    `${run.outcomes.size} requests, ${operations.length} operations, ${shares.map(({ granted }) => granted).join(' + ')} rewards, ${world.follower.streams} streams, ${run.unanswered} requests not answered\n`,
  );
  for (const { granted } of shares) expect(granted).toBeGreaterThan(0);
  const limited = shares.filter((_, i) => world.rules[i]?.dailyLimit !== undefined);
  expect(limited).toHaveLength(2);
  for (const { keptBack } of limited) expect(keptBack).toBeGreaterThan(0);
  expect(steady?.endpoint.acknowledged.size).toBeGreaterThan(300);
  expect(failing?.endpoint.failed).toBeGreaterThan(0);
  // Its stream was cut, or ended, and it went on elsewhere.
  expect(world.follower.streams).toBeGreaterThan(1);
}

async function messagesOf({ nats }: BusyWorld): ReturnType<typeof relayedMessages> {
  const connection = await connect({ servers: nats.address, reconnect: false });
  try {
    return await relayedMessages(connection, 'HOLDFAST');
  } finally {
    await connection.close();
  }
}

/** Lets the follower come to the end, and ends it. */
async function followed({ follower }: BusyWorld, operations: readonly RecordedOperation[]): Promise<void> {
  const givesUpAtMs = performance.now() + askMsMax;
  while (follower.count < operations.length && performance.now() < givesUpAtMs) await sleep(askEveryMs);
  await follower.close();
}

async function stateOnce(
  databaseUrl: string,
  isSo: (state: BackgroundState) => boolean,
): Promise<BackgroundState> {
  const givesUpAtMs = performance.now() + askMsMax;
  for (;;) {
    const state = await readBackgroundState(databaseUrl, consumers);
    if (isSo(state)) return state;
    if (performance.now() > givesUpAtMs)
      throw new Error(`after ${askMsMax} ms there is still this to do: ${JSON.stringify(state)}`);
    await sleep(askEveryMs);
  }
}
