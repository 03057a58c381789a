import type { RestockRule } from './listing.ts';
import { quantityMax } from './quantity.ts';

/** The stock of a limited listing. What was sold is `offered + refilled - remaining`. Guarded by its own row lock. */
export interface Stock {
  readonly listing: string;
  /** Units that people put on offer: the listing's `stock`, restocks included. */
  readonly offered: number;
  /** Units that the listing's own rule has added, so far as they are counted. */
  readonly refilled: number;
  readonly remaining: number;
  /** Up to when refills by the listing's rule have been counted, in ms since the epoch. */
  readonly refilledAtMs: number;
}

/** What an operation did to a stock: `remaining` is what was left after it. */
export interface StockLine {
  readonly listing: string;
  /** Units offered by it; negative: withdrawn. */
  readonly added: number;
  /** Units sold by it. */
  readonly taken: number;
  readonly remaining: number;
}

/** Refills that are due but nobody has counted yet, and up to when they are counted with them. */
export interface Refill {
  readonly quantity: number;
  readonly refilledAtMs: number;
}

/**
 * Counts the refills due at a moment. Nobody needs to run at that moment: a purchase counts them under the stock
 * row's lock, a reader for its answer only. Time that passed while the stock was full earns nothing.
 */
export function refillDue(stock: Stock, rule: RestockRule | null, nowMs: number): Refill {
  const none = { quantity: 0, refilledAtMs: stock.refilledAtMs };
  if (rule === null) return none;
  const everyMs = rule.everySeconds * 1000;
  const periods = Math.floor((nowMs - stock.refilledAtMs) / everyMs);
  if (periods <= 0) return none;
  const room = Math.max(0, Math.min(rule.max - stock.remaining, quantityMax - stock.refilled));
  return {
    quantity: Math.min(periods * rule.quantity, room),
    refilledAtMs: stock.refilledAtMs + periods * everyMs,
  };
}
