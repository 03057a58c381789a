import { expect, test } from 'vitest';
import { endpointFault } from './endpoint-url.ts';

test.each([
  'https://shop.example/hook',
  'https://shop.example:8443/hook?shop=1',
  'https://8.8.8.8/',
  'https://[2606:4700::1111]/',
])('%s can be used', (url) => {
  expect(endpointFault(url, { allowPrivate: false })).toBeNull();
});

test.each([
  ['shop.example', /https/],
  ['ftp://shop.example/', /https/],
  ['http://shop.example/', /https/],
  ['https://', /https/],
  ['https://user:secret@shop.example/', /user name/],
  ['https://user@shop.example/', /user name/],
  ['https://shop.example/#top', /fragment/],
  [`https://shop.example/${'x'.repeat(2048)}`, /2048/],
  ['https://127.0.0.1/', /private/],
  ['https://2130706433/', /private/],
  ['https://0x7f.1/', /private/],
  ['https://0177.0.0.1/', /private/],
  ['https://169.254.169.254/latest/meta-data', /private/],
  ['https://[::1]/', /private/],
  ['https://[::ffff:10.0.0.1]/', /private/],
  ['https://[fd00:ec2::254]/', /private/],
  ['https://localhost/', /private/],
  ['https://LOCALHOST./', /private/],
  ['https://shop.localhost/', /private/],
  ['https://１２７.0.0.1/', /private/],
])('%s can not', (url, why) => {
  expect(endpointFault(url, { allowPrivate: false })).toMatch(why);
});

test('where private addresses are allowed, they need no TLS; what is no URL for webhooks stays refused', () => {
  for (const url of ['http://127.0.0.1:8080/hook', 'http://shop/', 'https://[::1]/'])
    expect(endpointFault(url, { allowPrivate: true })).toBeNull();
  for (const url of ['file:///etc/passwd', 'http://user@shop/', 'shop', 'javascript:1'])
    expect(endpointFault(url, { allowPrivate: true })).not.toBeNull();
});
