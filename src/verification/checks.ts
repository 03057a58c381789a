import { accountCheck } from './accounts/account-check.ts';
import type { LedgerCheck } from './ledger-check.ts';
import { operationCheck } from './operations/operation-check.ts';
import { stockCheck } from './stock/stock-check.ts';

/** Every check of the whole ledger, in the order in which they run: a new one is its file, and a line here. */
export const ledgerChecks: readonly LedgerCheck[] = [operationCheck, stockCheck, accountCheck];
