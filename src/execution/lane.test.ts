import { describe, expect, test } from 'vitest';
import { Gate } from '../../test/support/gate.ts';
import { Lane } from './lane.ts';

/** A lane whose batches wait at the gates given, one for each, and what it has worked on. */
function gatedLane(batchMax: number, gates: Gate[]): { lane: Lane<number>; batches: number[][] } {
  const batches: number[][] = [];
  const work = async (batch: number[]): Promise<void> => {
    batches.push(batch);
    await gates[batches.length - 1]?.opened;
  };
  return { lane: new Lane<number>({ batchMax, work }), batches };
}

describe('a lane', () => {
  test('takes what comes in the same turn of the event loop as one batch', async () => {
    const { lane, batches } = gatedLane(10, []);
    lane.push(1);
    lane.push(2);
    await Promise.resolve().then(() => lane.push(3));
    expect(batches).toEqual([]);
    await lane.idle();
    expect(batches).toEqual([[1, 2, 3]]);
  });

  test('gathers what comes while a batch is under way, in the order in which it came', async () => {
    const gate = new Gate();
    const { lane, batches } = gatedLane(10, [gate]);
    lane.push(1);
    await new Promise(setImmediate);
    lane.push(2);
    lane.push(3);
    await new Promise(setImmediate);
    expect(batches).toEqual([[1]]);
    gate.open();
    await lane.idle();
    expect(batches).toEqual([[1], [2, 3]]);
  });

  test('makes no batch larger than its bound', async () => {
    const { lane, batches } = gatedLane(2, []);
    for (const item of [1, 2, 3, 4, 5]) lane.push(item);
    await lane.idle();
    expect(batches).toEqual([[1, 2], [3, 4], [5]]);
  });

  test('is idle at once when nothing was pushed, and starts again afterwards', async () => {
    const { lane, batches } = gatedLane(2, []);
    await lane.idle();
    lane.push(1);
    await lane.idle();
    lane.push(2);
    await lane.idle();
    expect(batches).toEqual([[1], [2]]);
  });

  test('is not idle before what was pushed meanwhile is done', async () => {
    const [first, second] = [new Gate(), new Gate()];
    const { lane, batches } = gatedLane(2, [first, second]);
    lane.push(1);
    let idle = false;
    const idling = lane.idle().then(() => (idle = true));
    await new Promise(setImmediate);
    lane.push(2);
    first.open();
    await new Promise(setImmediate);
    expect({ batches, idle }).toEqual({ batches: [[1], [2]], idle: false });
    second.open();
    await idling;
    expect(idle).toBe(true);
  });
});
