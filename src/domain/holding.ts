/** What an account owns of one asset. `reserved` of `quantity` is held by reservations and trades. */
export interface Holding {
  readonly account: string;
  readonly asset: string;
  readonly quantity: number;
  readonly reserved: number;
}

/** What of a holding may be spent. */
export function available(holding: Holding): number {
  return holding.quantity - holding.reserved;
}
