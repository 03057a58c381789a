import type { RecordedOperation } from '../operation.ts';

/** What several types say of their operations on record. Each answers what is wrong with this one, in sentences about "it". */

export function touchesOnlyItsHome({ home, receipt }: RecordedOperation): string[] {
  const others = new Set(receipt.entries.map(({ account }) => account).filter((account) => account !== home));
  return [...others].map((account) => `it belongs to ${home} and touches account ${account}`);
}

export function takesNoStock({ stock }: RecordedOperation): string[] {
  return stock
    .filter(({ taken }) => taken !== 0)
    .map(({ listing, taken }) => `it took ${taken} of listing ${listing}, and is none that buys`);
}

/** Every entry is of this sign: 1 gives, -1 takes. */
export function movesOnly(sign: 1 | -1, { receipt }: RecordedOperation): string[] {
  return receipt.entries
    .filter(({ delta }) => Math.sign(delta) !== sign)
    .map(({ account, asset, delta }) => `it changed the ${asset} of account ${account} by ${delta}`);
}
