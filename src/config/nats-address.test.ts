import { expect, test } from 'vitest';
import { parseNatsUrl } from './nats-address.ts';

test.each([
  ['nats://127.0.0.1:4222', { servers: ['127.0.0.1:4222'], tls: false, credentials: {} }],
  ['nats://broker', { servers: ['broker'], tls: false, credentials: {} }],
  [
    'nats://shop:s%40crt@one:4222, nats://two:4223',
    { servers: ['one:4222', 'two:4223'], tls: false, credentials: { user: 'shop', pass: 's@crt' } },
  ],
  ['tls://t0ken@one', { servers: ['one'], tls: true, credentials: { token: 't0ken' } }],
  ['nats://[::1]:4222/', { servers: ['[::1]:4222'], tls: false, credentials: {} }],
])('%s', (text, address) => {
  expect(parseNatsUrl(text)).toEqual(address);
});

test.each([
  '127.0.0.1:4222',
  'http://127.0.0.1:4222',
  'nats://',
  'nats://one,',
  'nats://one:4222/path',
  'nats://one?x=1',
  'nats://a:b@one,nats://a:c@two',
  'nats://:secret@one',
])('%s is none', (text) => {
  expect(parseNatsUrl(text)).toBeNull();
});
