import { isIP } from 'node:net';
import { isPublicAddress } from './public-addresses.ts';

const urlLengthMax = 2048;

/**
 * What stands against sending to this URL, to be read after it; null: nothing. Where private addresses are not allowed it
 * must be https, and not name a private address or this host. What a name leads to is checked with each connection.
 */
export function endpointFault(text: string, { allowPrivate }: { allowPrivate: boolean }): string | null {
  const url = URL.parse(text);
  if (url === null || !['https:', 'http:'].includes(url.protocol)) return 'must be an https:// URL';
  if (text.length > urlLengthMax) return `must have at most ${urlLengthMax} characters`;
  if (url.username !== '' || url.password !== '') return 'must not hold a user name or password';
  if (url.hash !== '') return 'must not have a fragment';
  if (allowPrivate) return null;
  if (url.protocol !== 'https:') return 'must be an https:// URL';
  // A URL has normalised what is an address in any notation: 0x7f.1 is 127.0.0.1 by now.
  const host = hostOf(url);
  if (isIP(host) === 0 ? isThisHost(host) : !isPublicAddress(host))
    return 'must not lead to a private address';
  return null;
}

/** The host name, or the address without its brackets. */
export function hostOf({ hostname }: URL): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}

/** RFC 6761, section 6.3. */
function isThisHost(name: string): boolean {
  return /(^|\.)localhost\.?$/.test(name);
}
