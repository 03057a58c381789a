import { describe, expect, test } from 'vitest';
import { Gate } from '../../test/support/gate.ts';
import { PatientLane } from './patient-lane.ts';

/** A lane whose items wait at a gate of their own name, and the names of those begun. */
function gatedLane(workers: number): {
  lane: PatientLane<string>;
  begun: string[];
  finish: (name: string) => Promise<void>;
} {
  const gates = new Map<string, Gate>();
  const begun: string[] = [];
  const gateOf = (name: string): Gate => {
    const gate = gates.get(name) ?? new Gate();
    gates.set(name, gate);
    return gate;
  };
  const work = async (name: string): Promise<void> => {
    begun.push(name);
    await gateOf(name).opened;
  };
  const finish = async (name: string): Promise<void> => {
    gateOf(name).open();
    await new Promise(setImmediate);
  };
  return { lane: new PatientLane<string>({ workers, work }), begun, finish };
}

describe('a patient lane', () => {
  test('works on as many items at once as it has workers', async () => {
    const { lane, begun, finish } = gatedLane(2);
    for (const name of ['1', '2', '3']) lane.push(name, [name]);
    expect(begun).toEqual(['1', '2']);
    await finish('2');
    expect(begun).toEqual(['1', '2', '3']);
  });

  test('works on one item of an account at a time, in their order, and lets others pass', async () => {
    const { lane, begun, finish } = gatedLane(3);
    lane.push('a1', ['a']);
    lane.push('a2', ['a', 'b']);
    lane.push('c1', ['c']);
    lane.push('a3', ['a']);
    expect(begun).toEqual(['a1', 'c1']);
    await finish('a1');
    expect(begun).toEqual(['a1', 'c1', 'a2']);
    await finish('a2');
    expect(begun).toEqual(['a1', 'c1', 'a2', 'a3']);
  });

  test('knows whose accounts are waited for, until the last of them has got through', async () => {
    const { lane, finish } = gatedLane(1);
    expect(lane.isEmpty).toBe(true);
    lane.push('1', ['a', 'b']);
    lane.push('2', ['b']);
    expect(lane.isEmpty).toBe(false);
    expect([lane.waitsFor(['a']), lane.waitsFor(['x', 'b']), lane.waitsFor(['x'])]).toEqual([
      true,
      true,
      false,
    ]);
    await finish('1');
    expect([lane.waitsFor(['a']), lane.waitsFor(['b'])]).toEqual([false, true]);
    await finish('2');
    expect([lane.waitsFor(['b']), lane.isEmpty]).toEqual([false, true]);
  });

  test('is idle when nobody waits any more, also who came later', async () => {
    const { lane, finish } = gatedLane(1);
    await lane.idle();
    lane.push('1', ['a']);
    lane.push('2', ['a']);
    let idle = false;
    const idling = lane.idle().then(() => (idle = true));
    await finish('1');
    expect(idle).toBe(false);
    await finish('2');
    await idling;
    expect(idle).toBe(true);
  });
});
