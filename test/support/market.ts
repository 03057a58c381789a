import type { Api } from './api.ts';
import { ok } from './resources.ts';

/** The assets that most contract tests deal in. */
export const marketAssets = {
  gold: { name: 'Gold', kind: 'currency' },
  gem: { name: 'Gem', kind: 'currency' },
  sword: {
    name: 'Sword',
    kind: 'item',
    sellPrice: [{ asset: 'gold', quantity: 4 }],
    tags: ['weapon', 'sharp'],
  },
  bow: { name: 'Bow', kind: 'item', tags: ['weapon'] },
  potion: { name: 'Potion', kind: 'item', stackLimit: 5 },
  xp: { name: 'Experience', kind: 'stat', tradable: false },
} as const;

/** Puts them, and one unlimited listing: a sword for ten gold. */
export async function openMarket(api: Api): Promise<void> {
  for (const [asset, body] of Object.entries(marketAssets))
    ok(await api.put(`/v1/assets/${asset}`, body), 201);
  ok(
    await api.put('/v1/listings/sword', {
      price: [{ asset: 'gold', quantity: 10 }],
      goods: [{ asset: 'sword', quantity: 1 }],
    }),
    201,
  );
}
