import { expect, test } from 'vitest';
import { isExposed } from './server-link.ts';

test.each([
  ['over a network', '10.0.0.7', '10.0.0.5', true],
  ['over a network, by IPv6', 'fd00::7', 'fd00::5', true],
  ['within a machine, over its address in the network', '10.0.0.5', '10.0.0.5', false],
  ['over loopback', '127.0.0.1', '127.0.0.1', false],
  ['over another address of loopback', '127.0.0.2', '127.0.0.1', false],
  ['over loopback, by IPv6', '::1', '::1', false],
  ['over loopback, by IPv4 on an IPv6 socket', '::ffff:127.0.0.1', '::ffff:127.0.0.2', false],
  ['over a Unix socket', null, null, false],
])('without TLS %s, it is exposed or not', (_, clientAddress, serverAddress, exposed) => {
  expect(isExposed({ encrypted: false, clientAddress, serverAddress })).toBe(exposed);
  expect(isExposed({ encrypted: true, clientAddress, serverAddress })).toBe(false);
});
