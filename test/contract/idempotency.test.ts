import { beforeAll, describe, expect, test } from 'vitest';
import { lines, type Answer, type Api, type Call } from '../support/api.ts';
import { expectInvalid, expectProblem, ok, owned, receipt, type Receipt } from '../support/resources.ts';
import { serveMarketPair } from '../support/served-market.ts';

let api: Api;
let other: Api;

beforeAll(async () => {
  [api, other] = await serveMarketPair();
});

/** Fails unless it is the same answer again, word for word, and says so. */
function expectReplay(answer: Answer, of: Answer): void {
  expect(answer.text).toBe(of.text);
  expect(answer.status).toBe(of.status);
  expect(answer.headers['idempotency-replayed']).toBe('true');
  expect(answer.headers['content-type']).toBe(of.headers['content-type']);
}

const bodies: Record<string, (account: string) => { path: string; body: unknown }> = {
  grant: (account) => ({
    path: '/v1/grants',
    body: { account, assets: lines({ gold: 1 }), reason: 'Grüße' },
  }),
  consumption: (account) => ({ path: '/v1/consumptions', body: { account, assets: lines({ gold: 1 }) } }),
  transfer: (account) => ({
    path: '/v1/transfers',
    body: { from: account, to: `${account}.friend`, assets: lines({ gold: 1 }) },
  }),
  purchase: (account) => ({ path: '/v1/purchases', body: { account, listing: 'sword' } }),
  sale: (account) => ({ path: '/v1/sales', body: { account, asset: 'sword', quantity: 1 } }),
};

describe.each(Object.keys(bodies))('a %s', (type) => {
  const account = `replayed.${type}`;
  const { path, body } = bodies[type]?.(account) ?? { path: '', body: null };

  test('is applied once, and answered word for word from any replica', async () => {
    receipt(await api.grant(account, { gold: 100, sword: 5 }));
    const first = await api.post(path, body, { key: 'once' });
    const { id, accounts } = receipt(first);
    expect(accounts[account]).toEqual({ version: 2 });
    const after = await owned(api, account);
    receipt(await api.grant(account, { gem: 1 }));
    for (const replica of [api, other, api])
      expectReplay(await replica.post(path, body, { key: 'once' }), first);
    expect(await owned(api, account)).toEqual({ ...after, gem: 1 });
    expect(ok(await other.get(`/v1/operations/${id}`))).toEqual(first.body);
    expect(ok(await api.get(`/v1/accounts/${account}`))).toMatchObject({ version: 3 });
  });
});

test('without a key the same request is applied each time', async () => {
  const first = receipt(await api.grant('keyless', { gold: 1 }));
  const second = receipt(await api.grant('keyless', { gold: 1 }));
  expect(second.id).not.toBe(first.id);
  expect(await owned(api, 'keyless')).toEqual({ gold: 2 });
});

test('twenty identical requests at once over two replicas are applied once, and all answered the same', async () => {
  for (let round = 0; round < 10; round += 1) {
    const account = `storm.${round}`;
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        (i % 2 === 0 ? api : other).grant(account, { gold: 7 }, { key: 'storm' }),
      ),
    );
    const [first] = answers;
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(201));
    expect(new Set(answers.map(({ text }) => text))).toEqual(new Set([first?.text]));
    const fresh = answers.filter(({ headers }) => headers['idempotency-replayed'] === undefined);
    expect(fresh).toHaveLength(1);
    const replayed = answers.filter(({ headers }) => headers['idempotency-replayed'] === 'true');
    expect(replayed).toHaveLength(19);
    expect(ok(await other.inventory(account))).toMatchObject({ version: 1, holdings: [{ quantity: 7 }] });
  }
});

test('twenty identical purchases of the last unit at once over two replicas sell it once', async () => {
  ok(
    await api.put('/v1/listings/last', { price: lines({ gold: 1 }), goods: lines({ sword: 1 }), stock: 1 }),
    201,
  );
  receipt(await api.grant('lucky', { gold: 5 }));
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      (i % 2 === 0 ? api : other).purchase('lucky', 'last', 1, { key: 'last' }),
    ),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(201));
  expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  expect(await owned(api, 'lucky')).toEqual({ gold: 4, sword: 1 });
});

test('different requests under one key at once: one wins, the others are told', async () => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      (i % 2 === 0 ? api : other).grant('rivals', { gold: i + 1 }, { key: 'rival' }),
    ),
  );
  const won = answers.filter(({ status }) => status === 201);
  expect(won).toHaveLength(1);
  for (const answer of answers.filter(({ status }) => status !== 201))
    expectProblem(answer, 422, 'idempotency_key_reused');
  const [winner] = won;
  expect(await owned(api, 'rivals')).toEqual({ gold: (winner?.body as Receipt).entries[0]?.delta });
});

describe('the same key with another request', () => {
  beforeAll(async () => {
    receipt(await api.grant('reuser', { gold: 100, sword: 1 }, { key: 'reused' }));
  });

  test.each<[string, string, unknown]>([
    ['another quantity', '/v1/grants', { account: 'reuser', assets: lines({ gold: 101, sword: 1 }) }],
    ['another asset', '/v1/grants', { account: 'reuser', assets: lines({ gold: 100, bow: 1 }) }],
    ['a line more', '/v1/grants', { account: 'reuser', assets: lines({ gold: 100, sword: 1, bow: 1 }) }],
    ['a reason', '/v1/grants', { account: 'reuser', assets: lines({ gold: 100, sword: 1 }), reason: 'x' }],
    [
      'another path, the same body',
      '/v1/consumptions',
      { account: 'reuser', assets: lines({ gold: 100, sword: 1 }) },
    ],
    ['another path and body', '/v1/purchases', { account: 'reuser', listing: 'sword' }],
    ['a transfer from it', '/v1/transfers', { from: 'reuser', to: 'x', assets: lines({ gold: 1 }) }],
  ])('%s', async (_what, path, body) => {
    for (const replica of [api, other]) {
      expectProblem(await replica.post(path, body, { key: 'reused' }), 422, 'idempotency_key_reused', {
        title: 'Idempotency key reused',
        instance: path,
        retryable: false,
      });
    }
    expect(ok(await api.get('/v1/accounts/reuser'))).toMatchObject({ version: 1 });
  });

  test('the request that used it first is still answered', async () => {
    const again = await other.grant('reuser', { gold: 100, sword: 1 }, { key: 'reused' });
    expect(again.headers['idempotency-replayed']).toBe('true');
    expect(ok(again, 201)).toMatchObject({ accounts: { reuser: { version: 1 } } });
  });

  test('what would be refused anyway is told that the key is used', async () => {
    const answer = await api.consume('reuser', { gold: 1_000_000 }, { key: 'reused' });
    expectProblem(answer, 422, 'idempotency_key_reused');
  });
});

test('a key belongs to the account of its operation', async () => {
  const key = 'shared';
  receipt(await api.grant('owner.1', { gold: 10 }, { key }));
  receipt(await api.grant('owner.2', { gold: 10 }, { key }));
  // A transfer's account is the one that gives.
  receipt(await api.grant('owner.3', { gold: 10 }));
  receipt(await other.transfer('owner.3', 'owner.1', { gold: 1 }, { key }));
  expectProblem(await api.grant('owner.3', { gold: 10 }, { key }), 422, 'idempotency_key_reused');
  expect([await owned(api, 'owner.1'), await owned(api, 'owner.2'), await owned(api, 'owner.3')]).toEqual([
    { gold: 11 },
    { gold: 10 },
    { gold: 9 },
  ]);
});

test('keys that differ in anything are different keys', async () => {
  for (const key of ['Case', 'case', 'case ~', 'case  ~', '"case"', 'case%20', 'c'])
    receipt(await api.grant('keys', { gold: 1 }, { key }));
  expect(await owned(api, 'keys')).toEqual({ gold: 7 });
});

test('a rejected operation is not remembered: the same key succeeds later', async () => {
  receipt(await api.grant('poor', { gold: 9 }));
  const request = { account: 'poor', listing: 'sword' };
  for (const replica of [api, other])
    expectProblem(
      await replica.post('/v1/purchases', request, { key: 'later' }),
      409,
      'insufficient_balance',
    );
  expectProblem(await api.grant('poor', { moonstone: 1 }, { key: 'later' }), 404, 'asset_not_found');
  receipt(await api.grant('poor', { gold: 1 }));
  const bought = await other.post('/v1/purchases', request, { key: 'later' });
  receipt(bought);
  expectReplay(await api.post('/v1/purchases', request, { key: 'later' }), bought);
  expect(await owned(api, 'poor')).toEqual({ sword: 1 });
});

test('an invalid request is not remembered either', async () => {
  expectInvalid(await api.grant('invalid', { gold: 0 }, { key: 'again' }), '/assets/0/quantity');
  receipt(await api.grant('invalid', { gold: 1 }, { key: 'again' }));
});

test('a replay is answered though the operation could not be done any more', async () => {
  ok(
    await api.put('/v1/listings/brief', { price: lines({ gold: 1 }), goods: lines({ sword: 1 }), stock: 1 }),
    201,
  );
  receipt(await api.grant('quick', { gold: 1 }));
  const first = await api.purchase('quick', 'brief', 1, { key: 'brief' });
  receipt(first);
  ok(await api.put('/v1/listings/brief', { price: lines({ gold: 5 }), goods: lines({ bow: 1 }) }));
  expectReplay(await other.purchase('quick', 'brief', 1, { key: 'brief' }), first);
});

test.each<[string, string]>([
  ['of 255 characters', 'k'.repeat(255)],
  ['of one character', 'k'],
  ['of all printable ASCII', Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)).join(' ')],
  ['that looks like SQL', `'; drop table operations; --`],
])('a key %s works', async (what, key) => {
  const account = `key-${what.replaceAll(/[^a-z0-9]/g, '-')}`;
  const first = await api.grant(account, { gold: 1 }, { key });
  receipt(first);
  expectReplay(await other.grant(account, { gold: 1 }, { key }), first);
  expect(await owned(api, account)).toEqual({ gold: 1 });
});

test.each<[string, Call]>([
  ['empty', { key: '' }],
  ['of 256 characters', { key: 'k'.repeat(256) }],
  ['outside ASCII', { key: 'schlüssel' }],
  ['with a tab', { key: 'a\tb' }],
  ['of white space alone', { key: '   ' }],
])('a key that is %s is refused', async (_what, call) => {
  const answer = await api.grant('bad-key', { gold: 1 }, call);
  expectProblem(answer, 400, 'invalid_request');
  expectProblem(await api.get('/v1/accounts/bad-key'), 404, 'account_not_found');
});
