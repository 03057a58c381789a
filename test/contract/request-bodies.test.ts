import { request } from 'node:http';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Answer, Api } from '../support/api.ts';
import { expectProblem, ok, receipt } from '../support/resources.ts';
import { serveMarket } from '../support/served-market.ts';
import { adminApiKey } from '../support/served-replicas.ts';

let api: Api;

beforeAll(async () => {
  ({ api } = await serveMarket());
});

const bodyOf = (account: string, rest = ''): string =>
  `{"account":"${account}","assets":[{"asset":"gold","quantity":1}]${rest}}`;

function grant(raw: string | Buffer, headers: Record<string, string | undefined> = {}): Promise<Answer> {
  return api.call('POST', '/v1/grants', { raw, headers });
}

async function expectNothingChanged(account: string): Promise<void> {
  expectProblem(await api.get(`/v1/accounts/${account}`), 404, 'account_not_found');
}

test.each([
  '{',
  '{"account":"malformed"',
  `${bodyOf('malformed')}}`,
  `${bodyOf('malformed')}{}`,
  bodyOf('malformed', ','),
  "{'account':'malformed'}",
  '{account:"malformed"}',
  'account=malformed',
  '<grant/>',
  'undefined',
  bodyOf('malformed').replace('"malformed"', '"mal\nformed"'),
  bodyOf('malformed').replace('"malformed"', '"\\x6d"'),
  bodyOf('malformed').replace('"malformed"', '"\\u12"'),
  `/* a comment */ ${bodyOf('malformed')}`,
  '\u0000',
  '   ',
])('malformed JSON: %j', async (raw) => {
  const answer = await grant(raw);
  expectProblem(answer, 400, 'invalid_request', { title: 'Invalid request', instance: '/v1/grants' });
  // What the parser says of it belongs in the detail; where we parse it does not.
  expect(answer.text).not.toMatch(/node_modules|\/src\/|\bat .*:[0-9]+/);
  await expectNothingChanged('malformed');
});

test.each(['null', 'true', '5', '"grant"', '[]', '[{"account":"a"}]'])(
  'JSON that is no object: %s',
  async (raw) => {
    expectProblem(await grant(raw), 400, 'invalid_request');
  },
);

test('no body at all', async () => {
  const answer = await api.call('POST', '/v1/grants', { headers: { 'content-type': 'application/json' } });
  expectProblem(answer, 400, 'invalid_request');
});

test('no body and no type', async () => {
  for (const [method, path] of [
    ['POST', '/v1/grants'],
    ['POST', '/v1/listings/sword/restock'],
    ['PUT', '/v1/assets/bodiless'],
    ['PUT', '/v1/accounts/bodiless'],
  ] as const) {
    const answer = await api.call(method, path);
    expect([400, 415], answer.text).toContain(answer.status);
  }
  await expectNothingChanged('bodiless');
});

test.each([
  'application/json',
  'application/json; charset=utf-8',
  'application/json;charset=UTF-8',
  'Application/JSON',
])('the type %s is JSON', async (type) => {
  receipt(await grant(bodyOf('typed'), { 'content-type': type }));
});

test.each([
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/xml',
  'application/jsonp',
  'application/json-patch+json',
  'application/vnd.api+json',
  'json',
  '*/*',
])('the type %s is not supported', async (type) => {
  expectProblem(await grant(bodyOf('mistyped'), { 'content-type': type }), 415, 'unsupported_media_type', {
    title: 'Unsupported media type',
    instance: '/v1/grants',
    retryable: false,
  });
  await expectNothingChanged('mistyped');
});

test('a body without a type is not supported', async () => {
  const answer = await grant(bodyOf('untyped'), { 'content-type': undefined });
  expectProblem(answer, 415, 'unsupported_media_type');
  await expectNothingChanged('untyped');
});

test('every route that takes a body wants it as JSON', async () => {
  for (const [method, path] of [
    ['PUT', '/v1/assets/mistyped'],
    ['PUT', '/v1/listings/mistyped'],
    ['PUT', '/v1/accounts/mistyped'],
    ['POST', '/v1/listings/sword/restock'],
    ['POST', '/v1/consumptions'],
    ['POST', '/v1/transfers'],
    ['POST', '/v1/purchases'],
    ['POST', '/v1/sales'],
  ] as const) {
    const answer = await api.call(method, path, { raw: '{}', headers: { 'content-type': 'text/plain' } });
    expectProblem(answer, 415, 'unsupported_media_type', { instance: path });
  }
});

test('a compressed body is taken for what it holds, or refused', async () => {
  const answer = await grant(gzipSync(bodyOf('zipped')), { 'content-encoding': 'gzip' });
  if (answer.status === 201) expect(ok(await api.inventory('zipped'))).toMatchObject({ version: 1 });
  else {
    expect([400, 415], answer.text).toContain(answer.status);
    await expectNothingChanged('zipped');
  }
});

test('a body that is larger than 1 MiB once it is unpacked is refused', async () => {
  for (const bytes of [limit + 1, 20 * limit]) {
    const packed = gzipSync(sized('bomb', bytes), { level: 9 });
    expect(packed.length).toBeLessThan(limit);
    const answer = await grant(packed, { 'content-encoding': 'gzip' });
    expect([413, 415], answer.text).toContain(answer.status);
    await expectNothingChanged('bomb');
  }
});

test.each(['gzip', 'br', 'deflate', 'zstd', 'x-unknown'])(
  'a body that is not in the encoding that it names, %s, is the client’s fault',
  async (encoding) => {
    const answer = await grant(bodyOf('misnamed'), { 'content-encoding': encoding });
    expect([400, 415], answer.text).toContain(answer.status);
    await expectNothingChanged('misnamed');
  },
);

const limit = 1_048_576;

/** A body of so many bytes, blanks included. */
function sized(account: string, bytes: number): string {
  return bodyOf(account).padEnd(bytes, ' ');
}

test('a body of 1 MiB is taken, one byte more is too large', async () => {
  receipt(await grant(sized('largest', limit)));
  expectProblem(await grant(sized('too-large', limit + 1)), 413, 'payload_too_large', {
    title: 'Payload too large',
    instance: '/v1/grants',
    retryable: false,
  });
  await expectNothingChanged('too-large');
});

test('properties may fill the body', async () => {
  const properties = { text: 'x'.repeat(1_000_000) };
  ok(await api.put('/v1/accounts/wordy', { properties }), 201);
  expect(ok(await api.get('/v1/accounts/wordy'))).toMatchObject({ properties });
});

test('every route that takes a body bounds it', async () => {
  const raw = ' '.repeat(limit + 1);
  for (const [method, path] of [
    ['PUT', '/v1/assets/too-large'],
    ['PUT', '/v1/listings/too-large'],
    ['PUT', '/v1/accounts/too-large'],
    ['POST', '/v1/listings/sword/restock'],
    ['POST', '/v1/purchases'],
  ] as const)
    expectProblem(await api.call(method, path, { raw }), 413, 'payload_too_large', { instance: path });
});

test('a body that is sent in chunks, without its length, is bounded as well', async () => {
  const answer = await chunked(Array.from({ length: 20 }, () => ' '.repeat(100_000)));
  expect(answer).toMatchObject({ status: 413, body: { code: 'payload_too_large' } });
  const small = bodyOf('chunky');
  const whole = await chunked([small.slice(0, 10), small.slice(10, 20), small.slice(20)]);
  expect(whole).toMatchObject({ status: 201, body: { type: 'grant' } });
});

async function chunked(chunks: readonly string[]): Promise<{ status: number | undefined; body: unknown }> {
  return await new Promise((resolve, reject) => {
    const exchange = request(
      `${api.url}/v1/grants`,
      {
        method: 'POST',
        headers: { authorization: `Bearer ${adminApiKey}`, 'content-type': 'application/json' },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('error', reject);
        response.on('end', () => {
          resolve({ status: response.statusCode, body: JSON.parse(text) as unknown });
        });
      },
    );
    exchange.on('error', reject);
    for (const chunk of chunks) exchange.write(chunk);
    exchange.end();
  });
}

test.each<[string, Buffer]>([
  ['a stray byte', Buffer.from([0xff])],
  ['a cut sequence', Buffer.from([0xe2, 0x82])],
  ['an overlong slash', Buffer.from([0xc0, 0xaf])],
  ['a surrogate', Buffer.from([0xed, 0xa0, 0x80])],
  ['past the last code point', Buffer.from([0xf4, 0x90, 0x80, 0x80])],
  ['Latin-1', Buffer.from('Grüße', 'latin1')],
])('bytes that are not UTF-8: %s', async (_what, bytes) => {
  const [before = '', after = ''] = bodyOf('garbled', ',"reason":"-"').split('-');
  const answer = await grant(Buffer.concat([Buffer.from(before), bytes, Buffer.from(after)]));
  expectProblem(answer, 400, 'invalid_request', { instance: '/v1/grants' });
  await expectNothingChanged('garbled');
});

test('UTF-16 is not UTF-8', async () => {
  expectProblem(await grant(Buffer.from(bodyOf('garbled'), 'utf16le')), 400, 'invalid_request');
});

describe('names that mean something to JavaScript', () => {
  test.each(['__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString'])(
    'an unknown field %s is refused',
    async (name) => {
      expectProblem(await grant(bodyOf('polluted', `,"${name}":{"dryRun":true}`)), 400, 'invalid_request');
      await expectNothingChanged('polluted');
    },
  );

  test.each(['constructor', 'toString', 'valueOf', 'hasOwnProperty'])('%s can be an id', async (id) => {
    expectProblem(await api.get(`/v1/assets/${id}`), 404, 'asset_not_found', { asset: id });
    expectProblem(await api.get(`/v1/accounts/${id}`), 404, 'account_not_found');
    expectProblem(await api.purchase('x', id), 404, 'listing_not_found', { listing: id });
    ok(await api.put(`/v1/assets/${id}`, { name: id, kind: 'item' }), 201);
    expect(receipt(await api.grant(id, { [id]: 3 })).accounts).toEqual({ [id]: { version: 1 } });
    expect(ok(await api.inventory(id))).toMatchObject({
      account: id,
      holdings: [{ asset: id, quantity: 3 }],
    });
  });
});

test('deeply nested JSON is the client’s fault, or kept; it breaks nothing', async () => {
  for (const depth of [100, 10_000, 400_000]) {
    const nested = `${'['.repeat(depth)}${']'.repeat(depth)}`;
    const answer = await api.call('PUT', `/v1/accounts/deep.${depth}`, {
      raw: `{"properties":{"a":${nested}}}`,
    });
    expect([201, 400], `${depth} levels: ${answer.text.slice(0, 300)}`).toContain(answer.status);
  }
  ok(await api.get('/livez'));
});
