import { beforeAll, describe, expect, test } from 'vitest';
import { lines, type Api } from '../support/api.ts';
import { expectProblem, ok, receipt } from '../support/resources.ts';
import { serveReplica } from '../support/served-replicas.ts';

let api: Api;

beforeAll(async () => {
  ({ api } = await serveReplica());
  ok(await api.put('/v1/assets/gold', { name: 'Gold', kind: 'currency' }), 201);
});

/** Text that some layer tends to spoil. */
const odd: readonly [string, string][] = [
  ['umlauts', 'Größe'],
  ['combining marks, not composed', 'e\u0301'],
  ['Japanese', '黄金の剣'],
  ['right to left', 'سيف ذهبي'],
  ['beyond the basic plane', '𝔊𝔬𝔩𝔡 🗡️👩‍👩‍👧'],
  ['an invisible joiner', 'a\u200db'],
  ['the last code point', '\u{10ffff}'],
  ['a replacement character', '\ufffd'],
  ['quotes and backslashes', `"it's" \\ \\\\ \`x\``],
  ['SQL', `'; drop table accounts; --`],
  ['a format string', '%s %d ${x} {{x}} $1'],
  ['markup', '<script>alert(1)</script>&amp;'],
  ['JSON', '{"a":[1,null]}'],
  ['blanks around it', '  x  '],
  ['numbers as text', '007'],
  ['null as text', 'null'],
  ['line separators', 'a\u2028b\u2029c'],
];

describe.each(odd)('%s', (_what, text) => {
  const suffix = `odd.${odd.findIndex(([, other]) => other === text)}`;

  test('survives in the name, tags and properties of an asset', async () => {
    const body = {
      name: text,
      kind: 'item',
      tags: [text],
      properties: { [text]: text, list: [text, { [text]: null }] },
    };
    const put = ok(await api.put(`/v1/assets/${suffix}`, body), 201);
    expect(put).toMatchObject(body);
    expect(ok(await api.get(`/v1/assets/${suffix}`))).toEqual(put);
  });

  test('survives in the properties of an account', async () => {
    const properties = { [text]: { [text]: [text] } };
    ok(await api.put(`/v1/accounts/${suffix}`, { properties }), 201);
    expect(ok(await api.get(`/v1/accounts/${suffix}`))).toMatchObject({ properties });
  });

  test('survives in the reason of an operation, and in its replay', async () => {
    const body = { account: suffix, assets: lines({ gold: 1 }), reason: text };
    const first = await api.post('/v1/grants', body, { key: 'odd' });
    expect(receipt(first).details).toEqual({ reason: text });
    expect((await api.post('/v1/grants', body, { key: 'odd' })).text).toBe(first.text);
    expect(ok(await api.get(`/v1/operations/${receipt(first).id}`))).toEqual(first.body);
  });
});

test('a control character in a text survives, or is refused; it breaks nothing', async () => {
  for (let code = 0; code < 32; code += 1) {
    const text = `a${String.fromCharCode(code)}b`;
    const body = { account: `control.${code}`, assets: lines({ gold: 1 }), reason: text };
    const answer = await api.post('/v1/grants', body);
    if (answer.status === 201) {
      expect(receipt(answer).details).toEqual({ reason: text });
      expect(ok(await api.get(`/v1/operations/${receipt(answer).id}`))).toEqual(answer.body);
    } else expectProblem(answer, 400, 'invalid_request');
    const properties = { [text]: text };
    const put = await api.put(`/v1/accounts/control.p.${code}`, { properties });
    if (put.status === 201)
      expect(ok(await api.get(`/v1/accounts/control.p.${code}`))).toMatchObject({ properties });
    else expectProblem(put, 400, 'invalid_request');
    const asset = { name: text, kind: 'item', tags: [text] };
    const named = await api.put(`/v1/assets/control.${code}`, asset);
    if (named.status === 201) expect(ok(await api.get(`/v1/assets/control.${code}`))).toMatchObject(asset);
    else expectProblem(named, 400, 'invalid_request');
  }
});

test('half of a surrogate pair survives, or is refused; it breaks nothing', async () => {
  for (const half of ['\\ud83d', '\\ude00', '\\ude00\\ud83d']) {
    const reason = JSON.parse(`"${half}"`) as string;
    const grant = `{"account":"half","assets":[{"asset":"gold","quantity":1}],"reason":"${half}"}`;
    const answer = await api.call('POST', '/v1/grants', { raw: grant });
    if (answer.status === 201) expect(receipt(answer).details).toEqual({ reason });
    else expectProblem(answer, 400, 'invalid_request');
    const put = await api.call('PUT', '/v1/accounts/half.properties', {
      raw: `{"properties":{"a":"${half}"}}`,
    });
    if (put.status < 300)
      expect(ok(await api.get('/v1/accounts/half.properties'))).toMatchObject({ properties: { a: reason } });
    else expectProblem(put, 400, 'invalid_request');
  }
});

test('properties come back as they were put, to the last digit and in their order', async () => {
  const raw = `{"properties":{"z":1,"a":2,"10":3,"2":4,"float":0.1,"small":5e-324,"big":1.7976931348623157e308,"exact":9007199254740991,"negative":-1.5,"empty":"","none":null,"no":false,"list":[],"object":{}}}`;
  ok(await api.call('PUT', '/v1/accounts/exact', { raw }), 201);
  const { properties } = ok<{ properties: unknown }>(await api.get('/v1/accounts/exact'));
  expect(properties).toEqual((JSON.parse(raw) as { properties: unknown }).properties);
});

test('a number that would not come back as it was put is refused', async () => {
  for (const number of ['1e400', '-1e400'])
    expectProblem(
      await api.call('PUT', '/v1/accounts/infinite', { raw: `{"properties":{"a":${number}}}` }),
      400,
      'invalid_request',
    );
});

test('properties may have any name that JSON allows', async () => {
  const properties = {
    constructor: { name: 'x' },
    toString: 1,
    hasOwnProperty: null,
    '': 'empty',
    ' ': 'blank',
    'a/b~c': [],
  };
  ok(await api.put('/v1/accounts/names', { properties }), 201);
  expect(ok(await api.get('/v1/accounts/names'))).toMatchObject({ properties });
});

test('a property named __proto__ comes back, or is refused', async () => {
  const raw = '{"properties":{"__proto__":{"admin":true},"a":1}}';
  const put = await api.call('PUT', '/v1/accounts/proto', { raw });
  if (put.status === 201)
    expect((await api.get('/v1/accounts/proto')).text).toContain('"__proto__":{"admin":true}');
  else expectProblem(put, 400, 'invalid_request');
  expect(ok(await api.put('/v1/accounts/proto.after', {}), 201)).toEqual({
    id: 'proto.after',
    version: 0,
    capacity: null,
    properties: {},
  });
});

const ids: readonly [string, string][] = [
  ['one character', 'a'],
  ['a digit', '7'],
  ['64 characters', 'x'.repeat(64)],
  ['64 characters, mixed', `A${'0_.:@-z'.repeat(9)}`],
  ['all allowed punctuation', 'a_.:@-'],
  ['an address', 'zoe@example.com'],
  ['a URN', 'urn:player:42'],
  ['dots', 'a..b...c'],
  ['dashes', 'a--b'],
  ['a UUID', '0199a7c2-0000-7000-8000-000000000000'],
  ['a number', '00000'],
];

describe.each(ids)('an id of %s', (_what, id) => {
  test('is the same, written plainly or percent-encoded', async () => {
    const encoded = [...Buffer.from(id)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
    const upper = encodeURIComponent(id);
    ok(await api.put(`/v1/assets/${id}`, { name: 'X', kind: 'item' }), 201);
    ok(await api.put(`/v1/listings/${encoded}`, { price: [], goods: lines({ [id]: 1 }), stock: 5 }), 201);
    ok(await api.put(`/v1/accounts/${encoded}`, {}), 201);
    for (const written of [id, encoded, upper]) {
      expect(ok(await api.get(`/v1/assets/${written}`))).toMatchObject({ id });
      expect(ok(await api.get(`/v1/listings/${written}`))).toMatchObject({ id });
      expect(ok(await api.get(`/v1/accounts/${written}`))).toMatchObject({ id });
      receipt(await api.post(`/v1/listings/${written}/restock`, { quantity: 1 }));
    }
    receipt(await api.purchase(id, id, 2));
    for (const written of [id, encoded]) {
      expect(ok(await api.get(`/v1/accounts/${written}/inventory?asset=${encoded}`))).toMatchObject({
        account: id,
        holdings: [{ asset: id, quantity: 2 }],
      });
      expect(ok(await api.get(`/v1/accounts/${written}/entries`))).toMatchObject({
        data: [{ asset: id, delta: 2 }],
      });
    }
  });
});

test('ids that differ in case are different', async () => {
  receipt(await api.grant('Case', { gold: 1 }));
  expectProblem(await api.get('/v1/accounts/case'), 404, 'account_not_found');
  expectProblem(await api.get('/v1/assets/GOLD'), 404, 'asset_not_found');
});

test.each([
  ['65 characters', 'x'.repeat(65)],
  ['101 characters', 'x'.repeat(101)],
  ['2000 characters', 'x'.repeat(2000)],
  ['punctuation first', '.a'],
  ['a dash first', '-a'],
  ['a blank', 'a%20b'],
  ['a slash', 'a%2fb'],
  ['a line break', 'a%0a'],
  ['a zero', 'a%00'],
  ['a letter outside ASCII', '%C3%A4'],
  ['a plus', 'a+b'],
  ['a star', '*'],
])('an id of %s is refused wherever it stands', async (_what, id) => {
  for (const collection of ['assets', 'listings', 'accounts'])
    expectProblem(await api.get(`/v1/${collection}/${id}`), 400, 'invalid_request');
  expectProblem(await api.put(`/v1/accounts/${id}`, {}), 400, 'invalid_request');
  expectProblem(await api.get(`/v1/accounts/${id}/inventory`), 400, 'invalid_request');
  const decoded = decodeURIComponent(id);
  expectProblem(await api.grant(decoded, { gold: 1 }), 400, 'invalid_request');
  expectProblem(await api.grant('x', { [decoded]: 1 }), 400, 'invalid_request');
});
