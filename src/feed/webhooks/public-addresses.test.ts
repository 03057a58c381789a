import type { LookupAddress } from 'node:dns';
import { expect, test } from 'vitest';
import { isPublicAddress, publicLookup, RefusedAddressError, type Resolve } from './public-addresses.ts';

test.each([
  '0.0.0.0',
  '10.1.2.3',
  '100.64.0.1',
  '100.100.100.200',
  '127.0.0.1',
  '127.255.255.254',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.192',
  '192.168.1.1',
  '198.18.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:127.0.0.1',
  '::ffff:8.8.8.8',
  '::ffff:a00:1',
  '::7f00:1',
  '64:ff9b::a00:1',
  '100::1',
  '2001::1',
  '2001:db8::1',
  '2002:7f00:1::',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'fe80::1%eth0',
  'fec0::1',
  'ff02::1',
  'shop.example',
  '',
])('%s is not public', (address) => {
  expect(isPublicAddress(address)).toBe(false);
});

test.each([
  '8.8.8.8',
  '100.63.255.255',
  '100.128.0.0',
  '172.32.0.1',
  '192.0.1.1',
  '2606:4700::1111',
  '2a00::1',
])('%s is public', (address) => {
  expect(isPublicAddress(address)).toBe(true);
});

const good = { address: '93.184.215.14', family: 4 };
const bad = { address: '10.0.0.1', family: 4 };

async function looked(resolve: Resolve, all: boolean): Promise<unknown> {
  return await new Promise((done, fail) => {
    publicLookup(resolve)('shop.example', { all }, (error, address) => {
      if (error === null) done(address);
      else fail(error);
    });
  });
}

const answering =
  (...addresses: readonly LookupAddress[]): Resolve =>
  (_name, _options, told) => {
    told(null, [...addresses]);
  };

test('a connection is made to what was checked', async () => {
  expect(await looked(answering(good), true)).toEqual([good]);
  expect(await looked(answering(good), false)).toBe(good.address);
});

test('a name with one private address among others is refused as a whole', async () => {
  for (const all of [true, false]) {
    await expect(looked(answering(good, bad), all)).rejects.toThrow(
      new RefusedAddressError('shop.example is at 10.0.0.1, which is not public'),
    );
    await expect(looked(answering(), all)).rejects.toThrow(RefusedAddressError);
  }
});

test('a name that answers something else the second time is refused the second time', async () => {
  const answers = [good, bad];
  const rebinding: Resolve = (_name, _options, told) => {
    told(null, answers.splice(0, 1));
  };
  expect(await looked(rebinding, true)).toEqual([good]);
  await expect(looked(rebinding, true)).rejects.toThrow(RefusedAddressError);
});
