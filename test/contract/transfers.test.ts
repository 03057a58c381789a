import { beforeAll, expect, test } from 'vitest';
import type { Api } from '../support/api.ts';
import { expectInvalid, expectProblem, ok, owned, receipt } from '../support/resources.ts';
import { serveMarket } from '../support/served-market.ts';

let api: Api;

beforeAll(async () => {
  ({ api } = await serveMarket());
});

test('a transfer takes from one and gives to the other', async () => {
  receipt(await api.grant('zed', { gold: 10, gem: 3 }));
  const body = {
    from: 'zed',
    to: 'Abe',
    assets: [
      { asset: 'gold', quantity: 4 },
      { asset: 'gem', quantity: 3 },
    ],
    reason: 'a debt',
  };
  const moved = receipt(await api.post('/v1/transfers', body));
  expect(moved).toMatchObject({
    type: 'transfer',
    dryRun: false,
    entries: [
      { account: 'Abe', asset: 'gem', delta: 3, balance: 3 },
      { account: 'Abe', asset: 'gold', delta: 4, balance: 4 },
      { account: 'zed', asset: 'gem', delta: -3, balance: 0 },
      { account: 'zed', asset: 'gold', delta: -4, balance: 6 },
    ],
    accounts: { Abe: { version: 1 }, zed: { version: 2 } },
    details: { reason: 'a debt' },
  });
  expect(moved.entries).toHaveLength(4);
  expect([await owned(api, 'zed'), await owned(api, 'Abe')]).toEqual([{ gold: 6 }, { gold: 4, gem: 3 }]);
});

test('entries are in the byte order of the accounts, also when the receiver comes last', async () => {
  receipt(await api.grant('B', { gold: 1 }));
  const { entries } = receipt(await api.transfer('B', 'a', { gold: 1 }));
  expect(entries.map(({ account }) => account)).toEqual(['B', 'a']);
});

test('a transfer to oneself is refused, whatever one has', async () => {
  receipt(await api.grant('self', { gold: 10 }));
  for (const quantity of [1, 100]) {
    expectProblem(await api.transfer('self', 'self', { gold: quantity }), 409, 'same_account', {
      title: 'Same account',
      account: 'self',
      retryable: false,
    });
  }
  expect(ok(await api.inventory('self'))).toMatchObject({ version: 1, holdings: [{ quantity: 10 }] });
});

test('more than there is moves nothing', async () => {
  receipt(await api.grant('short', { gold: 10, gem: 1 }));
  expectProblem(await api.transfer('short', 'long', { gold: 5, gem: 2 }), 409, 'insufficient_balance', {
    account: 'short',
    asset: 'gem',
    required: 2,
    available: 1,
  });
  expect(await owned(api, 'short')).toEqual({ gold: 10, gem: 1 });
  expectProblem(await api.get('/v1/accounts/long'), 404, 'account_not_found');
});

test('several lines of one asset add up before they are checked', async () => {
  receipt(await api.grant('twice', { gold: 5 }));
  const lines = (quantity: number): object[] => [
    { asset: 'gold', quantity },
    { asset: 'gold', quantity },
  ];
  const answer = await api.post('/v1/transfers', { from: 'twice', to: 'once', assets: lines(3) });
  expectProblem(answer, 409, 'insufficient_balance', { required: 6, available: 5 });
  receipt(await api.post('/v1/transfers', { from: 'twice', to: 'once', assets: lines(2) }));
  expect([await owned(api, 'twice'), await owned(api, 'once')]).toEqual([{ gold: 1 }, { gold: 4 }]);
});

test('what is not tradable stays', async () => {
  receipt(await api.grant('hero', { xp: 10, gold: 10 }));
  expectProblem(await api.transfer('hero', 'pupil', { gold: 1, xp: 1 }), 409, 'not_tradable', {
    title: 'Not tradable',
    asset: 'xp',
    retryable: false,
  });
  expect(await owned(api, 'hero')).toEqual({ xp: 10, gold: 10 });
});

test('the receiver’s stack limit holds', async () => {
  receipt(await api.grant('brewer', { potion: 5 }));
  receipt(await api.grant('drinker', { potion: 3 }));
  expectProblem(await api.transfer('brewer', 'drinker', { potion: 3 }), 409, 'stack_limit_exceeded', {
    account: 'drinker',
    asset: 'potion',
  });
  receipt(await api.transfer('brewer', 'drinker', { potion: 2 }));
  expect([await owned(api, 'brewer'), await owned(api, 'drinker')]).toEqual([{ potion: 3 }, { potion: 5 }]);
});

test('an unknown asset and an unknown sender', async () => {
  receipt(await api.grant('sender', { gold: 1 }));
  expectProblem(await api.transfer('sender', 'x', { moonstone: 1 }), 404, 'asset_not_found', {
    asset: 'moonstone',
  });
  expectProblem(await api.transfer('nobody', 'sender', { gold: 1 }), 404, 'account_not_found', {
    account: 'nobody',
  });
});

test('transfers in opposite directions at the same moment all happen', async () => {
  receipt(await api.grant('left', { gold: 1000 }));
  receipt(await api.grant('right', { gold: 1000 }));
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, i) =>
      i % 2 === 0 ? api.transfer('left', 'right', { gold: 3 }) : api.transfer('right', 'left', { gold: 1 }),
    ),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array(100).fill(201));
  expect([await owned(api, 'left'), await owned(api, 'right')]).toEqual([{ gold: 900 }, { gold: 1100 }]);
  expect(ok(await api.get('/v1/accounts/left'))).toMatchObject({ version: 101 });
});

const line = { asset: 'gold', quantity: 1 };

test.each<[string, unknown, string]>([
  ['no sender', { to: 'b', assets: [line] }, '/from'],
  ['no receiver', { from: 'a', assets: [line] }, '/to'],
  ['an account instead', { from: 'a', to: 'b', account: 'a', assets: [line] }, '/account'],
  ['a receiver outside the pattern', { from: 'a', to: '-b', assets: [line] }, '/to'],
  ['several receivers', { from: 'a', to: ['b', 'c'], assets: [line] }, '/to'],
  ['no assets', { from: 'a', to: 'b', assets: [] }, '/assets'],
])('%s is refused', async (_what, body, path) => {
  expectInvalid(await api.post('/v1/transfers', body), path);
});
