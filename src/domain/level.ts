import type { AssetKind } from './asset.ts';
import type { Json } from './json.ts';
import { isExact } from './quantity.ts';

/** Levels that one asset may have. */
export const levelsMax = 1000;

/** What is wrong with a level curve: at which of its thresholds, or, where that is null, with the whole of it. */
export interface LevelFault {
  readonly index: number | null;
  readonly message: string;
}

/** The property of a stat that says what each level takes: ascending thresholds, the first of them level 1's. */
export function levelFaults(levels: Json | undefined): readonly LevelFault[] {
  if (!Array.isArray(levels) || levels.length === 0 || levels.length > levelsMax)
    return [{ index: null, message: `must be a list of 1 to ${levelsMax} thresholds` }];
  const thresholds: readonly Json[] = levels;
  return thresholds.flatMap((threshold, index) => {
    if (typeof threshold !== 'number' || !isExact(threshold) || threshold < 0)
      return [{ index, message: 'must be a quantity, or 0' }];
    const before = thresholds[index - 1];
    return typeof before === 'number' && threshold <= before
      ? [{ index, message: 'must be above the threshold before it' }]
      : [];
  });
}

/** The level that so much of an asset makes: how many thresholds it has reached. Undefined: the asset has no levels. */
export function levelOf(
  { kind, levels }: { readonly kind: AssetKind; readonly levels: Json | undefined },
  quantity: number,
): number | undefined {
  // What was put before curves had a meaning may be anything.
  if (kind !== 'stat' || levelFaults(levels).length > 0) return undefined;
  return (levels as readonly number[]).filter((threshold) => quantity >= threshold).length;
}
