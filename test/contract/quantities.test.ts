import { beforeAll, describe, expect, test } from 'vitest';
import { lines, type Answer, type Api } from '../support/api.ts';
import { expectInvalid, expectProblem, ok, owned, receipt } from '../support/resources.ts';
import { serveMarket } from '../support/served-market.ts';

let api: Api;

beforeAll(async () => {
  ({ api } = await serveMarket());
});

const max = 9_007_199_254_740_991;

/** Sends the quantity as it is written: `JSON.stringify` would tidy it up. */
function raw(collection: string, account: string, quantity: string): Promise<Answer> {
  const assets = `[{"asset":"gold","quantity":${quantity}}]`;
  const rest = collection === 'transfers' ? `"from":"${account}","to":"x"` : `"account":"${account}"`;
  return api.call('POST', `/v1/${collection}`, { raw: `{${rest},"assets":${assets}}` });
}

describe.each(['grants', 'consumptions', 'transfers'])('%s', (collection) => {
  test.each([
    '1.5',
    '"2"',
    '0',
    '-0',
    '-1',
    '1e400',
    '-1e400',
    '9007199254740992',
    '9007199254740993',
    '1e16',
    '1e-1',
    'null',
    'true',
    '[1]',
    '{"value":1}',
    '""',
    '"1e2"',
  ])('a quantity of %s is refused', async (quantity) => {
    expectInvalid(await raw(collection, 'refused', quantity), '/assets/0/quantity');
    expectProblem(await api.get('/v1/accounts/refused'), 404, 'account_not_found');
  });

  test.each(['NaN', 'Infinity', '0x10', '01', '+1', '1_000', '1.', '.5', "'1'", ''])(
    'a quantity of %s is not JSON',
    async (quantity) => {
      expectProblem(await raw(collection, 'refused', quantity), 400, 'invalid_request');
    },
  );
});

test('the greatest quantity can be granted, moved and used up, exactly', async () => {
  expect(receipt(await raw('grants', 'tycoon', String(max))).entries).toEqual([
    { account: 'tycoon', asset: 'gold', delta: max, balance: max },
  ]);
  receipt(await api.consume('tycoon', { gold: 1 }));
  expect(await owned(api, 'tycoon')).toEqual({ gold: max - 1 });
  receipt(await api.grant('tycoon', { gold: 1 }));
  const { text } = await api.transfer('tycoon', 'heir', { gold: max });
  expect(text).toContain(`"delta":-${max}`);
  expect((await api.inventory('heir')).text).toContain(`"quantity":${max}`);
  expect((await api.get('/v1/accounts/heir/entries')).text).toContain(`"delta":${max},"balance":${max}`);
  receipt(await api.consume('heir', { gold: max }));
  expect(await owned(api, 'heir')).toEqual({});
});

test('no grant goes past the greatest quantity', async () => {
  receipt(await api.grant('full', { gold: max, gem: 1 }));
  for (const quantity of [1, max]) {
    expectProblem(await api.grant('full', { gold: quantity, gem: 1 }), 409, 'quantity_overflow', {
      title: 'Quantity overflow',
      account: 'full',
      asset: 'gold',
      retryable: false,
    });
  }
  expect(await owned(api, 'full')).toEqual({ gold: max, gem: 1 });
});

test('lines that add up to more than the greatest quantity', async () => {
  const twice = (account: string, first: number, second: number): object => ({
    account,
    assets: [
      { asset: 'gold', quantity: first },
      { asset: 'gold', quantity: second },
    ],
  });
  expectProblem(await api.post('/v1/grants', twice('summed', max, 1)), 409, 'quantity_overflow');
  expectProblem(await api.post('/v1/grants', twice('summed', max, max)), 409, 'quantity_overflow');
  expectProblem(await api.get('/v1/accounts/summed'), 404, 'account_not_found');
  receipt(await api.grant('summed', { gold: max }));
  for (const second of [1, 2, max]) {
    const answer = await api.post('/v1/consumptions', twice('summed', max, second));
    expect(answer.status, answer.text).toBe(409);
    expect(['insufficient_balance', 'quantity_overflow']).toContain((answer.body as { code: string }).code);
  }
  expect(await owned(api, 'summed')).toEqual({ gold: max });
  receipt(await api.post('/v1/consumptions', twice('summed', max - 1, 1)));
});

test('no transfer goes past the greatest quantity', async () => {
  receipt(await api.grant('brim', { gold: max - 5 }));
  receipt(await api.grant('drop', { gold: 10 }));
  expectProblem(await api.transfer('drop', 'brim', { gold: 6 }), 409, 'quantity_overflow', {
    account: 'brim',
  });
  receipt(await api.transfer('drop', 'brim', { gold: 5 }));
  expect([await owned(api, 'brim'), await owned(api, 'drop')]).toEqual([{ gold: max }, { gold: 5 }]);
});

test('no purchase goes past the greatest quantity, by its goods or by its price', async () => {
  const huge = { price: lines({ gold: 1 }), goods: lines({ gem: max }) };
  ok(await api.put('/v1/listings/huge', huge), 201);
  receipt(await api.grant('buyer', { gold: max, gem: 1 }));
  expectProblem(await api.purchase('buyer', 'huge'), 409, 'quantity_overflow', { asset: 'gem' });
  receipt(await api.consume('buyer', { gem: 1 }));
  expectProblem(await api.purchase('buyer', 'huge', 2), 409, 'quantity_overflow', { asset: 'gem' });
  for (const quantity of [max, 900_719_925_474_100]) {
    const answer = await api.purchase('buyer', 'sword', quantity);
    expect(answer.status, answer.text).toBe(409);
    expect(['insufficient_balance', 'quantity_overflow']).toContain((answer.body as { code: string }).code);
  }
  expect(await owned(api, 'buyer')).toEqual({ gold: max });
  receipt(await api.purchase('buyer', 'huge'));
  expect(await owned(api, 'buyer')).toEqual({ gem: max, gold: max - 1 });
});

test('no sale goes past the greatest quantity', async () => {
  receipt(await api.grant('seller', { gold: max - 3, sword: 1 }));
  expectProblem(await api.sell('seller', 'sword', 1), 409, 'quantity_overflow', { asset: 'gold' });
  receipt(await api.consume('seller', { gold: 1 }));
  receipt(await api.sell('seller', 'sword', 1));
  expect(await owned(api, 'seller')).toEqual({ gold: max });
});

test.each([
  ['/v1/purchases', '{"account":"a","listing":"sword","quantity":1.5}', '/quantity'],
  ['/v1/purchases', '{"account":"a","listing":"sword","quantity":9007199254740992}', '/quantity'],
  ['/v1/sales', '{"account":"a","asset":"sword","quantity":"2"}', '/quantity'],
  ['/v1/sales', '{"account":"a","asset":"sword","quantity":1e400}', '/quantity'],
  ['/v1/listings/sword/restock', '{"quantity":9007199254740992}', '/quantity'],
])('%s %s is refused', async (path, body, at) => {
  expectInvalid(await api.call('POST', path, { raw: body }), at);
});

test('simultaneous grants up to the greatest quantity: what fits is taken, the rest refused', async () => {
  receipt(await api.grant('crowd', { gold: max - 10 }));
  const answers = await Promise.all(Array.from({ length: 20 }, () => api.grant('crowd', { gold: 1 })));
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(10);
  for (const answer of answers.filter(({ status }) => status !== 201))
    expectProblem(answer, 409, 'quantity_overflow');
  expect(await owned(api, 'crowd')).toEqual({ gold: max });
});
