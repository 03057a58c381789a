import type { JsonObject } from './json.ts';
import type { Effect } from './ledger.ts';
import type { Receipt } from './operation.ts';
import { timestamp } from './time.ts';

/** Who did what, as the receipt states it beside the effect. */
export interface ReceiptHead {
  readonly id: string;
  readonly type: string;
  readonly actor: string;
  readonly dryRun: boolean;
  readonly details: JsonObject;
}

/** The receipt of an operation; its members stand in the order of the contract. */
export function receiptOf({ id, type, actor, dryRun, details }: ReceiptHead, effect: Effect): Receipt {
  const accounts: Record<string, { version: number }> = {};
  for (const account of effect.accounts) accounts[account.id] = { version: account.version };
  return { id, type, at: timestamp(effect.atMs), actor, dryRun, entries: effect.entries, accounts, details };
}
