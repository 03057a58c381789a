import { reward } from '../../domain/commands/reward.ts';
import type { OperationRoute } from '../operation-route.ts';
import { consumptions } from './consumptions.ts';
import { grants } from './grants.ts';
import { purchases } from './purchases.ts';
import { restocks } from './restocks.ts';
import { sales } from './sales.ts';
import { transfers } from './transfers.ts';

/** Every kind of operation that callers ask for: a new one is its command, its file beside this one, and a line here. */
export const operations: readonly OperationRoute[] = [
  grants,
  consumptions,
  transfers,
  purchases,
  sales,
  restocks,
];

/** Every kind of operation that may be on record: those, and what the service makes by itself. */
export const operationTypes: readonly OperationRoute['type'][] = [
  ...operations.map(({ type }) => type),
  reward,
];
