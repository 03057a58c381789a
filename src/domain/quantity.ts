/** The largest quantity that anything may reach: beyond it a JSON number is no longer exact. */
export const quantityMax = Number.MAX_SAFE_INTEGER;

/**
 * Tells whether a sum or product of quantities is still exact and within ±`quantityMax`. Rounding is monotone,
 * so an inexact result can never fall back below the bound: checking the result alone is enough.
 */
export function isExact(quantity: number): boolean {
  return Number.isSafeInteger(quantity);
}

/** So much of an asset; `quantity` is at least 1. */
export interface AssetQuantity {
  readonly asset: string;
  readonly quantity: number;
}
