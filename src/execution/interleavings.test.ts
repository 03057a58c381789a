import fc from 'fast-check';
import { expect, test } from 'vitest';
import { breakingReplicas, linger, troubles, type Trouble } from '../../test/support/breaking-replicas.ts';
import { replayLedger } from '../../test/support/replayed-ledger.ts';
import {
  buying,
  consuming,
  granting,
  request,
  restocking,
  selling,
  transferring,
} from '../../test/support/requests.ts';
import { gold, listing, openAccounts, stockShop, sword } from '../../test/support/shop.ts';
import { noLocks } from '../../test/support/without-locks.ts';
import type { Command } from '../domain/command.ts';
import type { Locks } from '../repository/memory/lock-table.ts';
import type { Repository } from '../repository/repository.ts';
import type { Executor } from './executor.ts';
import { ExecutionFailure } from './failure.ts';
import type { Outcome, OperationRequest } from './request.ts';

const accounts = ['p1', 'p2', 'p3', 'new'];
const goldEach = 60;
const stock = 3;
const replicaCount = 3;

const anyAccount = fc.constantFrom(...accounts);
const anyAmount = fc.integer({ min: 1, max: 20 });
const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  fc.tuple(anyAccount, anyAmount).map(([account, amount]) => granting(account, { gold: amount })),
  fc.tuple(anyAccount, anyAmount).map(([account, amount]) => consuming(account, { gold: amount })),
  fc
    .tuple(anyAccount, anyAccount, anyAmount)
    .map(([from, to, amount]) => transferring(from, to, { gold: amount })),
  fc
    .tuple(anyAccount, fc.integer({ min: 1, max: 3 }))
    .map(([account, units]) => buying(account, 'limited', units)),
  anyAccount.map((account) => buying(account, 'rationed')),
  anyAccount.map((account) => selling(account, 'sword')),
  fc.integer({ min: 1, max: 2 }).map((units) => restocking('limited', units)),
);

/** A request, where it is sent, and where it is sent once more at the same time, if it is. */
const anySending = fc.record({
  command: anyCommand,
  replica: fc.nat(replicaCount - 1),
  again: fc.option(fc.nat(replicaCount - 1), { freq: 2 }),
  dryRun: fc.integer({ min: 0, max: 9 }).map((roll) => roll === 0),
  afterTurns: fc.nat(6),
});

/** Mostly nothing goes wrong. */
const anyTrouble = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Trouble>('none') },
  { weight: 6, arbitrary: fc.constantFrom(...troubles) },
);

/*
 * Several replicas, random commands, many of them sent twice at once, transactions that linger at each of their steps
 * for random turns of the event loop, and connections that break. fast-check prints the seed of what fails.
 */
test('however replicas interleave and whatever breaks: every sum is exact, every key is used once', async () => {
  const tally = new Map<string, number>();
  await fc.assert(everythingIsExact({ tally }), { numRuns: 150 });
  // It has seen what it is about.
  const seen = [...tally.keys()];
  expect(seen).toEqual(
    expect.arrayContaining([
      'done',
      'replayed',
      'insufficient_balance',
      'database_unavailable',
      'outcome_unknown',
    ]),
  );
}, 60_000);

test('negative control: where nothing is locked, that is not so', async () => {
  const property = everythingIsExact({ locks: noLocks });
  const { errorInstance } = await fc.check(property, { numRuns: 150, endOnFailure: true });
  expect(errorInstance).toMatchObject({ name: 'AssertionError' });
}, 60_000);

function everythingIsExact({ locks, tally = new Map() }: { locks?: Locks; tally?: Map<string, number> }) {
  return fc.asyncProperty(
    fc.array(anySending, { minLength: 1, maxLength: 40, size: 'max' }),
    fc.infiniteStream(anyTrouble),
    fc.infiniteStream(fc.nat(2)),
    fc.integer({ min: 1, max: 6 }),
    async (sendings, trouble, turns, batchMax) => {
      const shop = breakingReplicas({ replicas: replicaCount, batchMax, turns, troubles: trouble, locks });
      await openShop(shop.repository);
      shop.breakDown();
      const sent = sendings.flatMap(({ command, replica, again, dryRun, afterTurns }, i) => {
        const each = request(command, { idempotencyKey: `k${i}`, requestHash: `h${i}`, dryRun });
        const executors = [replica, ...(again === null ? [] : [again])].map((at) => shop.executors[at]);
        return executors.map((executor) => send(executor, each, afterTurns));
      });
      const answers = await Promise.all(sent);
      await shop.heal();
      for (const { outcome } of answers) tally.set(wordOf(outcome), (tally.get(wordOf(outcome)) ?? 0) + 1);
      answers.push(...(await askAgain(answers, shop.executors)));
      await checkAnswers(answers, shop.repository);
      await checkLedger(shop.repository);
    },
  );
}

async function openShop(repository: Repository): Promise<void> {
  await stockShop(repository, {
    assets: [gold, sword],
    listings: [listing('limited', { limited: true }), listing('rationed', { perAccountLimit: 2 })],
    stock,
  });
  await openAccounts(repository, ['p1', 'p2', 'p3'], { gold: goldEach });
}

interface Answer {
  readonly request: OperationRequest;
  readonly outcome: Outcome | ExecutionFailure;
}

async function send(executor: Executor | undefined, each: OperationRequest, turns: number): Promise<Answer> {
  if (executor === undefined) throw new Error('there is no such replica');
  await linger(turns);
  const outcome = await executor.execute(each).catch((error: unknown) => {
    if (error instanceof ExecutionFailure) return error;
    throw error;
  });
  return { request: each, outcome };
}

function wordOf(outcome: Outcome | ExecutionFailure): string {
  if (outcome instanceof ExecutionFailure || outcome.kind === 'rejected') return outcome.code;
  return outcome.replayed ? 'replayed' : 'done';
}

/** Once nothing breaks any more, the same key tells every outcome that was unknown. */
async function askAgain(answers: readonly Answer[], [executor]: readonly Executor[]): Promise<Answer[]> {
  const unknown = answers.filter(({ outcome }) => wordOf(outcome) === 'outcome_unknown');
  const told = await Promise.all(unknown.map(({ request: each }) => send(executor, each, 0)));
  expect(told.filter(({ outcome }) => outcome instanceof ExecutionFailure)).toEqual([]);
  return told;
}

/** Every answer is true of what is on record now. */
async function checkAnswers(answers: readonly Answer[], repository: Repository): Promise<void> {
  const { receipts } = await replayLedger(repository);
  const onRecord = new Map(receipts.map((receipt) => [receipt.id, JSON.stringify(receipt)]));
  const first = new Map<string, number>();
  const told = new Map<string, string>();
  for (const { request: each, outcome } of answers) {
    const key = each.idempotencyKey ?? '';
    const [recorded] = await repository.transaction((tx) =>
      tx.recorded([{ home: each.command.home, actor: each.actor, key }]),
    );
    if (each.dryRun) {
      expect(recorded).toBeUndefined();
    } else if (outcome instanceof ExecutionFailure) {
      // A failure that says that nothing was changed may stand beside a copy of the request that got through.
      const copies = answers.filter(({ request: { idempotencyKey } }) => idempotencyKey === key);
      if (outcome.code === 'outcome_unknown') expect(outcome.idempotencyKey).toBe(key);
      else if (copies.length === 1) expect(recorded).toBeUndefined();
      expect(['busy', 'database_unavailable', 'outcome_unknown', 'internal_error']).toContain(outcome.code);
    } else if (outcome.kind === 'done') {
      expect(recorded?.receipt).toBe(outcome.receipt);
      expect(onRecord.get(recorded?.operation ?? '')).toBe(outcome.receipt);
      expect(told.get(key) ?? outcome.receipt).toBe(outcome.receipt);
      told.set(key, outcome.receipt);
      if (!outcome.replayed) first.set(key, (first.get(key) ?? 0) + 1);
    }
  }
  expect([...first.values()].filter((times) => times > 1)).toEqual([]);
  // Every operation on record is one that was asked for: nothing was applied under a key of its own.
  const keys = new Set(answers.map(({ request: { idempotencyKey } }) => idempotencyKey));
  expect(receipts.length).toBeLessThanOrEqual(keys.size);
}

/** The history adds up to what everyone has, and to what was granted, consumed, bought and sold. */
async function checkLedger(repository: Repository): Promise<void> {
  const opening = new Map(['p1', 'p2', 'p3'].map((account) => [`${account} gold`, goldEach]));
  const { receipts, holdings, faults } = await replayLedger(repository, opening);
  expect(faults).toEqual([]);
  const made = { gold: 3 * goldEach, sword: 0, left: stock };
  for (const { type, entries, details } of receipts) {
    const units = Number(details['quantity']);
    const moved = entries.reduce((sum, { asset, delta }) => sum + (asset === 'gold' ? delta : 0), 0);
    if (type === 'transfer') expect(moved).toBe(0);
    if (type === 'purchase') {
      expect(moved).toBe(-10 * units);
      made.sword += units;
      if (details['listing'] === 'limited') made.left -= units;
    }
    if (type === 'sale') {
      expect(moved).toBe(4 * units);
      made.sword -= units;
    }
    if (type === 'restock') made.left += units;
    made.gold += moved;
  }
  const sumOf = (asset: string) =>
    [...holdings].reduce((sum, [key, quantity]) => sum + (key.endsWith(` ${asset}`) ? quantity : 0), 0);
  expect({
    gold: sumOf('gold'),
    sword: sumOf('sword'),
    left: (await repository.listing('limited'))?.stock?.remaining,
  }).toEqual(made);
  for (const account of await repository.transaction((tx) => tx.lockAccounts(accounts))) {
    expect(account.stacks).toBe((holdings.get(`${account.id} sword`) ?? 0) > 0 ? 1 : 0);
  }
}
