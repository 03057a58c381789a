/** Matches every identifier a client may choose: accounts, assets, listings. ASCII only, so that comparing code units compares bytes. */
export const identifierPattern = '^[A-Za-z0-9][A-Za-z0-9_.:@-]{0,63}$';

const identifier = new RegExp(identifierPattern);

export function isIdentifier(text: string): boolean {
  return identifier.test(text);
}

/** Orders identifiers byte by byte, as `COLLATE "C"` does: the global lock order depends on both sides agreeing. */
export function compareIdentifiers(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
