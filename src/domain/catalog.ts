import type { Asset } from './asset.ts';
import type { Listing } from './listing.ts';
import type { RewardRule } from './reward-rule.ts';

/**
 * Everything that operations refer to, as one snapshot. `version` goes up with each change; a batch that finds
 * a newer one in the database starts over with it, so a decision never rests on a catalog that has been replaced.
 */
export interface Catalog {
  readonly version: number;
  readonly assets: ReadonlyMap<string, Asset>;
  readonly listings: ReadonlyMap<string, Listing>;
  readonly rewardRules: ReadonlyMap<string, RewardRule>;
}
