import type { OperationRoute } from '../operation-route.ts';
import { consumptions } from './consumptions.ts';
import { grants } from './grants.ts';
import { purchases } from './purchases.ts';
import { restocks } from './restocks.ts';
import { sales } from './sales.ts';
import { transfers } from './transfers.ts';

/** Every kind of operation in service: a new one is its command, its file beside this one, and a line here. */
export const operations: readonly OperationRoute[] = [
  grants,
  consumptions,
  transfers,
  purchases,
  sales,
  restocks,
];
