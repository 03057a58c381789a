import type { Snapshot } from '../../repository/audit.ts';

/** What is held of one holding. */
export interface ReservedQuantity {
  readonly account: string;
  readonly asset: string;
  readonly quantity: number;
}

/**
 * What open reservations and trades hold of the holdings of these accounts, summed up for each holding, in the snapshot in
 * which the holdings are read. There is nothing yet that could hold any: whatever comes to, is to be read here.
 */
export const readReserved: (
  snapshot: Snapshot,
  accounts: { readonly from: string; readonly before: string | null },
) => Promise<readonly ReservedQuantity[]> = () => Promise.resolve([]);
