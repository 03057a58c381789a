/** A small shop to begin with, as the bodies that put it there. */
export const exampleCatalog = {
  assets: {
    gold: { name: 'Gold', kind: 'currency' },
    gem: { name: 'Gem', kind: 'currency', tradable: false },
    sword: { name: 'Sword', kind: 'item', sellPrice: [{ asset: 'gold', quantity: 4 }], tags: ['weapon'] },
    shield: { name: 'Shield', kind: 'item', sellPrice: [{ asset: 'gold', quantity: 3 }], tags: ['armour'] },
    potion: { name: 'Healing potion', kind: 'item', stackLimit: 99, tags: ['consumable'] },
    crown: { name: 'Crown of the first king', kind: 'item', stackLimit: 1, tags: ['unique'] },
    xp: {
      name: 'Experience',
      kind: 'stat',
      tradable: false,
      properties: { levels: [0, 100, 300, 600, 1000, 1500] },
    },
  },
  listings: {
    'sword-sale': {
      price: [{ asset: 'gold', quantity: 10 }],
      goods: [{ asset: 'sword', quantity: 1 }],
      stock: 1000,
    },
    'starter-kit': {
      price: [{ asset: 'gold', quantity: 25 }],
      goods: [
        { asset: 'sword', quantity: 1 },
        { asset: 'shield', quantity: 1 },
        { asset: 'potion', quantity: 5 },
      ],
      perAccountLimit: 1,
    },
    'daily-potion': {
      price: [],
      goods: [{ asset: 'potion', quantity: 1 }],
      perAccountLimit: 1,
      limitPeriodSeconds: 86_400,
    },
    'the-crown': {
      price: [{ asset: 'gem', quantity: 100 }],
      goods: [{ asset: 'crown', quantity: 1 }],
      stock: 1,
    },
  },
  'reward-rules': {
    'xp-for-purchases': {
      on: { type: 'purchase' },
      grant: [{ asset: 'xp', quantity: 10 }],
      dailyLimit: 50,
    },
  },
} as const;
