import { commandOf, type Command } from '../../src/domain/command.ts';
import { consumption } from '../../src/domain/commands/consumption.ts';
import { grant } from '../../src/domain/commands/grant.ts';
import { purchase } from '../../src/domain/commands/purchase.ts';
import { restock } from '../../src/domain/commands/restock.ts';
import { reward } from '../../src/domain/commands/reward.ts';
import { sale } from '../../src/domain/commands/sale.ts';
import { transfer } from '../../src/domain/commands/transfer.ts';
import type { AssetQuantity } from '../../src/domain/quantity.ts';
import type { EarningOperation } from '../../src/domain/reward-rule.ts';
import type { OperationRequest } from '../../src/execution/request.ts';

/** So much of each asset, by its id. */
export type Amounts = Readonly<Record<string, number>>;

export function amounts(of: Amounts): AssetQuantity[] {
  return Object.entries(of).map(([asset, quantity]) => ({ asset, quantity }));
}

export function granting(account: string, of: Amounts): Command {
  return commandOf(grant, { account, assets: amounts(of) });
}

export function consuming(account: string, of: Amounts): Command {
  return commandOf(consumption, { account, assets: amounts(of) });
}

export function transferring(from: string, to: string, of: Amounts): Command {
  return commandOf(transfer, { from, to, assets: amounts(of) });
}

export function buying(account: string, listing: string, quantity = 1): Command {
  return commandOf(purchase, { account, listing, quantity });
}

export function selling(account: string, asset: string, quantity = 1): Command {
  return commandOf(sale, { account, asset, quantity });
}

export function restocking(listing: string, quantity: number): Command {
  return commandOf(restock, { listing, quantity });
}

/** The reward that a purchase earns by a rule, unless the operation was another. */
export function rewarding(rule: string, account: string, earning: Partial<EarningOperation> = {}): Command {
  const atMs = Date.UTC(2026, 10, 21, 10);
  const bought = {
    id: 'o1',
    type: 'purchase',
    account,
    atMs,
    position: 5,
    listing: 'sale',
    assets: ['gold'],
  };
  return commandOf(reward, { rule, earning: { ...bought, ...earning } });
}

/** A request for a command: without a key, not conditional, and for real, unless told otherwise. */
export function request(command: Command, rest: Partial<OperationRequest> = {}): OperationRequest {
  return {
    command,
    actor: 'key:test',
    idempotencyKey: null,
    requestHash: 'hash',
    ifMatch: null,
    dryRun: false,
    ...rest,
  };
}
