import { describe, expect, test } from 'vitest';
import { Gate } from '../../test/support/gate.ts';
import { Lanes, type LanesSettings } from './lanes.ts';

/** A wait that no test sees the end of. */
const longMs = 2 ** 30;

/** Two lanes whose batches wait at the gates given, one for each, and what they have worked on. */
function gatedLanes(gates: readonly Gate[], settings: Partial<LanesSettings> = {}) {
  const batches: number[][] = [];
  const began = gates.map(() => new Gate());
  const lanes = new Lanes<number>(
    { lanes: 2, batchMax: 10, batchMin: 0, batchWaitMs: longMs, ...settings },
    async (batch) => {
      batches.push(batch);
      began[batches.length - 1]?.open();
      await gates[batches.length - 1]?.opened;
    },
  );
  return {
    lanes,
    batches,
    /** Resolves when the batch with this index has begun. */
    beginning: async (index: number) => await began[index]?.opened,
    /** Each item belongs to the lane of its parity. */
    push: (...items: readonly number[]) => {
      for (const item of items) lanes.push(item, item);
    },
  };
}

const turn = async (): Promise<void> => {
  await new Promise(setImmediate);
};

const gates = (count: number): Gate[] => Array.from({ length: count }, () => new Gate());

describe('one lane', () => {
  test('takes what comes in the same turn of the event loop as one batch', async () => {
    const { lanes, batches, push } = gatedLanes([], { lanes: 1 });
    push(1, 2);
    await Promise.resolve().then(() => {
      push(3);
    });
    expect(batches).toEqual([]);
    await lanes.idle();
    expect(batches).toEqual([[1, 2, 3]]);
  });

  test('gathers what comes while a batch is under way, in the order in which it came', async () => {
    const gate = new Gate();
    const { lanes, batches, push } = gatedLanes([gate], { lanes: 1 });
    push(1);
    await turn();
    push(2, 3);
    await turn();
    expect({ batches, queued: lanes.queued }).toEqual({ batches: [[1]], queued: 2 });
    gate.open();
    await lanes.idle();
    expect(batches).toEqual([[1], [2, 3]]);
  });

  test.each([0, 4, 32])('makes no batch larger than its bound, also when it wants %d', async (batchMin) => {
    const { lanes, batches, push } = gatedLanes([], { lanes: 1, batchMax: 2, batchMin });
    push(1, 2, 3, 4, 5);
    await lanes.idle();
    expect(batches).toEqual([[1, 2], [3, 4], [5]]);
  });

  test('is idle at once when nothing was pushed, and starts again afterwards', async () => {
    const { lanes, batches, push } = gatedLanes([], { lanes: 1 });
    await lanes.idle();
    push(1);
    await lanes.idle();
    push(2);
    await lanes.idle();
    expect(batches).toEqual([[1], [2]]);
  });

  test('is not idle before what was pushed meanwhile is done', async () => {
    const [first, second] = [new Gate(), new Gate()];
    const { lanes, batches, push } = gatedLanes([first, second], { lanes: 1 });
    push(1);
    let idle = false;
    const idling = lanes.idle().then(() => (idle = true));
    await turn();
    push(2);
    first.open();
    await turn();
    expect({ batches, idle }).toEqual({ batches: [[1], [2]], idle: false });
    second.open();
    await idling;
    expect(idle).toBe(true);
  });
});

describe('several lanes', () => {
  test('work at the same time, each on its own, when they need not be full', async () => {
    const all = gates(2);
    const { lanes, batches, push } = gatedLanes(all);
    push(1, 2, 3, 4);
    await turn();
    expect(batches).toEqual([
      [2, 4],
      [1, 3],
    ]);
    for (const gate of all) gate.open();
    await lanes.idle();
  });

  test('make one batch of all that waits, as long as that is little', async () => {
    const all = gates(1);
    const { lanes, batches, push } = gatedLanes(all, { batchMin: 4 });
    push(1, 2, 3);
    await turn();
    push(4, 5, 7, 6);
    await turn();
    expect(batches).toEqual([[2, 1, 3]]);
    all[0]?.open();
    await lanes.idle();
    expect(batches.slice(1)).toEqual([[4, 6, 5, 7]]);
  });

  test('begin beside another when they are full', async () => {
    const all = gates(3);
    const { lanes, batches, push } = gatedLanes(all, { batchMin: 3 });
    push(1);
    await turn();
    push(2, 4);
    await turn();
    expect(batches).toEqual([[1]]);
    push(6);
    await turn();
    expect(batches).toEqual([[1], [2, 4, 6]]);
    for (const gate of all) gate.open();
    await lanes.idle();
  });

  test('never begin a second batch in a lane, however full it is', async () => {
    const all = gates(3);
    const { lanes, batches, push } = gatedLanes(all, { batchMin: 1 });
    push(1);
    await turn();
    push(3, 5, 7, 9);
    await turn();
    expect(batches).toEqual([[1]]);
    for (const gate of all) gate.open();
    await lanes.idle();
    expect(batches).toEqual([[1], [3, 5, 7, 9]]);
  });

  test('wait for another’s batch only so long', async () => {
    const all = gates(3);
    const { lanes, batches, push, beginning } = gatedLanes(all, { batchMin: 10, batchWaitMs: 1 });
    push(1);
    await beginning(0);
    push(2);
    await beginning(1);
    expect(batches).toEqual([[1], [2]]);
    for (const gate of all) gate.open();
    await lanes.idle();
  });

  test('wait for a batch that took of theirs along, however long it takes; one that it has nothing of does not', async () => {
    const all = gates(2);
    const { lanes, batches, push, beginning } = gatedLanes(all, { lanes: 3, batchMin: 10, batchWaitMs: 1 });
    push(3, 1);
    await beginning(0);
    // The first two have waited for too long before the last one has.
    push(6, 4, 2);
    await beginning(1);
    expect({ batches, queued: lanes.queued }).toEqual({ batches: [[3, 1], [2]], queued: 2 });
    for (const gate of all) gate.open();
    await lanes.idle();
    expect(batches.slice(2)).toEqual([[6], [4]]);
  });

  test('take turns: the one that is always full does not keep the other from beginning', async () => {
    const all = gates(2);
    const { lanes, batches, push } = gatedLanes(all, { batchMin: 3, batchMax: 3 });
    push(2, 4, 6, 8, 10, 12, 14);
    await turn();
    push(1);
    all[0]?.open();
    await turn();
    expect(batches).toEqual([[2, 4, 6], [1], [8, 10, 12]]);
    for (const gate of all) gate.open();
    await lanes.idle();
  });
});
