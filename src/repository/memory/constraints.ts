import { assetKinds, type Asset } from '../../domain/asset.ts';
import type { Holding } from '../../domain/holding.ts';
import type { Listing, PurchaseCount } from '../../domain/listing.ts';
import { quantityMax } from '../../domain/quantity.ts';
import type { RewardRule } from '../../domain/reward-rule.ts';
import type { Stock } from '../../domain/stock.ts';
import { ConstraintError } from '../errors.ts';
import type { AccountRow, EntryRow, OperationRow } from './tables.ts';

/** The CHECKs and column types of migrations/0001-core.ts and 0005-reward-rules.ts, table by table. Each throws `ConstraintError`. */
export function checkAccount({ id, version, stacks, capacity }: AccountRow): void {
  within(version, 0, quantityMax, `version of account ${id}`);
  within(stacks, 0, quantityMax, `stacks of account ${id}`);
  if (capacity !== null) within(capacity, 0, quantityMax, `capacity of account ${id}`);
}

export function checkHolding({ account, asset, quantity, reserved }: Holding): void {
  within(quantity, 0, quantityMax, `quantity of ${asset} of account ${account}`);
  within(reserved, 0, quantity, `reserved ${asset} of account ${account}`);
}

export function checkOperation({ id, receipt }: OperationRow): void {
  if (!uuid.test(id)) throw new ConstraintError(`${id} is no UUID`);
  if (!isJson(receipt)) throw new ConstraintError(`the receipt of operation ${id} is no JSON`);
}

export function checkEntry({ account, version, delta, balance }: EntryRow): void {
  within(version, 1, quantityMax, `version of an entry of account ${account}`);
  within(delta, -quantityMax, quantityMax, `delta of an entry of account ${account}`);
  within(balance, 0, quantityMax, `balance of an entry of account ${account}`);
}

export function checkAsset({ id, kind, stackLimit }: Asset): void {
  if (!assetKinds.includes(kind)) throw new ConstraintError(`asset ${id} is of another kind`);
  if (stackLimit !== null) within(stackLimit, 1, quantityMax, `stack limit of asset ${id}`);
}

export function checkListing({ id, perAccountLimit, limitPeriodSeconds }: Listing): void {
  if (perAccountLimit !== null) within(perAccountLimit, 1, quantityMax, `limit of listing ${id}`);
  if (limitPeriodSeconds !== null) within(limitPeriodSeconds, 1, quantityMax, `period of listing ${id}`);
}

export function checkStock({ listing, offered, refilled, remaining }: Stock): void {
  within(offered, 0, quantityMax, `stock of listing ${listing}`);
  within(refilled, 0, quantityMax, `refilled stock of listing ${listing}`);
  within(remaining, 0, offered + refilled, `remaining stock of listing ${listing}`);
}

export function checkPurchaseCount({ account, listing, count }: PurchaseCount): void {
  within(count, 0, quantityMax, `purchases of listing ${listing} by account ${account}`);
}

export function checkRewardRule({ id, dailyLimit, since }: RewardRule): void {
  if (dailyLimit !== null) within(dailyLimit, 1, quantityMax, `daily limit of reward rule ${id}`);
  within(since, 0, quantityMax, `beginning of reward rule ${id}`);
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function within(value: number, min: number, max: number, what: string): void {
  if (!Number.isSafeInteger(value) || value < min || value > max)
    throw new ConstraintError(`${what} can't be ${value}`);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
