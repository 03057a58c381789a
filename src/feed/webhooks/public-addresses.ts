import { lookup as systemLookup, type LookupAddress, type LookupAllOptions } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** What is not of the public internet (IANA's special-purpose registries, RFC 6890), in IPv4. */
const notPublicV4: readonly [string, number][] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10], // carrier-grade NAT, some clouds' metadata
  ['127.0.0.0', 8],
  ['169.254.0.0', 16], // link-local: most clouds' metadata
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4], // multicast
  ['240.0.0.0', 4], // reserved, broadcast
];

/**
 * In IPv6 only global unicast is public, and of that not what leads elsewhere: Teredo and its neighbours, 6to4,
 * documentation. So loopback, unique local, link-local, multicast, and IPv4 in any disguise are not.
 */
const globalV6: [string, number] = ['2000::', 3];
const notPublicV6: readonly [string, number][] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

const refusedV4 = new BlockList();
for (const [net, bits] of notPublicV4) refusedV4.addSubnet(net, bits, 'ipv4');
const global = new BlockList();
global.addSubnet(...globalV6, 'ipv6');
const refusedV6 = new BlockList();
for (const [net, bits] of notPublicV6) refusedV6.addSubnet(net, bits, 'ipv6');

/** Whether an IP address is one of the public internet. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !refusedV4.check(address, 'ipv4');
    case 6:
      return global.check(address, 'ipv6') && !refusedV6.check(address, 'ipv6');
    default:
      return false;
  }
}

/** A name that leads, or an address that is, where webhooks may not go. */
export class RefusedAddressError extends Error {
  override name = 'RefusedAddressError';
}

/** Asks for all addresses of a name, as `dns.lookup` does. */
export type Resolve = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * Looks a name up for a connection, and refuses it if any of its addresses is not public. The connection is made to what
 * was checked: a name that answers something else a moment later can't slip through. A literal address is never looked
 * up: whoever connects checks it before.
 */
export function publicLookup(resolve: Resolve = systemLookup): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        callback(error, []);
        return;
      }
      const refused = addresses.find(({ address }) => !isPublicAddress(address));
      const [first] = addresses;
      if (refused !== undefined || first === undefined) {
        callback(
          new RefusedAddressError(
            `${hostname} is at ${refused?.address ?? 'no address'}, which is not public`,
          ),
          [],
        );
      } else if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}
