import type { JsonObject } from './json.ts';
import type { AssetQuantity } from './quantity.ts';

export const assetKinds = ['currency', 'item', 'stat'] as const;
export type AssetKind = (typeof assetKinds)[number];

/** Something that can be owned in a quantity. Its kind never changes: accounts count their stacks of items. */
export interface Asset {
  readonly id: string;
  readonly name: string;
  readonly kind: AssetKind;
  /** The most that one account may hold; null: no limit. */
  readonly stackLimit: number | null;
  /** Whether accounts may transfer it among themselves. */
  readonly tradable: boolean;
  /** What the shop pays for one; null: the shop does not buy it. */
  readonly sellPrice: readonly AssetQuantity[] | null;
  readonly tags: readonly string[];
  readonly properties: JsonObject;
}
