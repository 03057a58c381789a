import { beforeAll, describe, expect, test } from 'vitest';
import type { Api } from '../support/api.ts';
import { expectInvalid, expectProblem, ok, owned, receipt, type Receipt } from '../support/resources.ts';
import { serveMarket } from '../support/served-market.ts';

let api: Api;

beforeAll(async () => {
  ({ api } = await serveMarket());
});

test('a grant answers a receipt, and only that', async () => {
  const before = Date.now();
  const granted = receipt(await api.grant('p1', { gold: 100, sword: 1 }));
  expect(granted).toEqual({
    id: expect.stringMatching(
      /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    ) as string,
    type: 'grant',
    at: expect.stringMatching(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/) as string,
    actor: expect.stringMatching(/^key:[^:]+$/) as string,
    dryRun: false,
    entries: [
      { account: 'p1', asset: 'gold', delta: 100, balance: 100 },
      { account: 'p1', asset: 'sword', delta: 1, balance: 1 },
    ],
    accounts: { p1: { version: 1 } },
    details: {},
  });
  expect(Object.keys(granted)).toEqual([
    'id',
    'type',
    'at',
    'actor',
    'dryRun',
    'entries',
    'accounts',
    'details',
  ]);
  expect(Math.abs(Date.parse(granted.at) - before)).toBeLessThan(10_000);
});

test('the reason is kept with the operation', async () => {
  const body = { account: 'p2', assets: [{ asset: 'gold', quantity: 1 }], reason: 'Compensation for #42' };
  const granted = receipt(await api.post('/v1/grants', body));
  expect(granted.details).toEqual({ reason: 'Compensation for #42' });
  expect(ok(await api.get(`/v1/operations/${granted.id}`))).toEqual(granted);
});

test('entries are in the order of the assets, whatever the order of the request', async () => {
  const body = {
    account: 'p3',
    assets: ['xp', 'gold', 'sword', 'bow'].map((asset, i) => ({ asset, quantity: i + 1 })),
  };
  const { entries } = receipt(await api.post('/v1/grants', body));
  expect(entries.map(({ asset, delta }) => [asset, delta])).toEqual([
    ['bow', 4],
    ['gold', 2],
    ['sword', 3],
    ['xp', 1],
  ]);
});

test('several lines of one asset add up', async () => {
  const body = {
    account: 'p4',
    assets: [
      { asset: 'gold', quantity: 1 },
      { asset: 'gem', quantity: 5 },
      { asset: 'gold', quantity: 2 },
      { asset: 'gold', quantity: 3 },
    ],
  };
  expect(receipt(await api.post('/v1/grants', body)).entries).toEqual([
    { account: 'p4', asset: 'gem', delta: 5, balance: 5 },
    { account: 'p4', asset: 'gold', delta: 6, balance: 6 },
  ]);
});

test('a grant adds to what is there', async () => {
  receipt(await api.grant('p5', { gold: 1 }));
  const { entries, accounts } = receipt(await api.grant('p5', { gold: 2 }));
  expect(entries).toEqual([{ account: 'p5', asset: 'gold', delta: 2, balance: 3 }]);
  expect(accounts).toEqual({ p5: { version: 2 } });
});

test('an unknown asset refuses all of it', async () => {
  receipt(await api.grant('p6', { gold: 1 }));
  expectProblem(await api.grant('p6', { gold: 1, moonstone: 1 }), 404, 'asset_not_found', {
    asset: 'moonstone',
    instance: '/v1/grants',
  });
  expect(ok(await api.inventory('p6'))).toMatchObject({ version: 1, holdings: [{ quantity: 1 }] });
});

test('no account holds more of an asset than its stack limit', async () => {
  expectProblem(await api.grant('p7', { potion: 6 }), 409, 'stack_limit_exceeded', {
    title: 'Stack limit exceeded',
    asset: 'potion',
    account: 'p7',
    retryable: false,
  });
  receipt(await api.grant('p7', { potion: 5 }));
  expectProblem(await api.grant('p7', { potion: 1 }), 409, 'stack_limit_exceeded', { asset: 'potion' });
  const lines = [
    { asset: 'potion', quantity: 3 },
    { asset: 'potion', quantity: 3 },
  ];
  expectProblem(await api.post('/v1/grants', { account: 'p8', assets: lines }), 409, 'stack_limit_exceeded');
  expectProblem(await api.get('/v1/accounts/p8'), 404, 'account_not_found');
});

test('a stack limit that is lowered takes nothing away', async () => {
  ok(await api.put('/v1/assets/shell', { name: 'Shell', kind: 'item', stackLimit: 10 }), 201);
  receipt(await api.grant('p9', { shell: 10 }));
  ok(await api.put('/v1/assets/shell', { name: 'Shell', kind: 'item', stackLimit: 3 }));
  expectProblem(await api.grant('p9', { shell: 1 }), 409, 'stack_limit_exceeded');
  receipt(await api.consume('p9', { shell: 6 }));
  expect(await owned(api, 'p9')).toEqual({ shell: 4 });
});

const line = { asset: 'gold', quantity: 1 };

describe.each(['grants', 'consumptions'])('%s', (collection) => {
  test.each<[string, unknown, readonly string[]]>([
    ['nothing', {}, ['/account', '/assets']],
    ['no account', { assets: [line] }, ['/account']],
    ['an account that is a number', { account: 5, assets: [line] }, ['/account']],
    ['an account that is null', { account: null, assets: [line] }, ['/account']],
    ['an account with a blank', { account: 'a b', assets: [line] }, ['/account']],
    ['an account that begins with punctuation', { account: '.a', assets: [line] }, ['/account']],
    ['an account of no characters', { account: '', assets: [line] }, ['/account']],
    ['an account of 65 characters', { account: 'a'.repeat(65), assets: [line] }, ['/account']],
    ['an account that ends with a line break', { account: 'faulty\n', assets: [line] }, ['/account']],
    ['an account outside ASCII', { account: 'zoë', assets: [line] }, ['/account']],
    ['no assets', { account: 'faulty' }, ['/assets']],
    ['assets of nothing', { account: 'faulty', assets: [] }, ['/assets']],
    ['assets that are no list', { account: 'faulty', assets: line }, ['/assets']],
    ['a line that is no object', { account: 'faulty', assets: ['gold'] }, ['/assets/0']],
    [
      'a line without quantity',
      { account: 'faulty', assets: [line, { asset: 'gold' }] },
      ['/assets/1/quantity'],
    ],
    ['a line without asset', { account: 'faulty', assets: [{ quantity: 1 }] }, ['/assets/0/asset']],
    ['a faulty asset', { account: 'faulty', assets: [{ asset: 'a/b', quantity: 1 }] }, ['/assets/0/asset']],
    [
      'an unknown field in a line',
      { account: 'faulty', assets: [{ ...line, note: 'x' }] },
      ['/assets/0/note'],
    ],
    ['an unknown field', { account: 'faulty', assets: [line], dryRun: true }, ['/dryRun']],
    ['a reason that is a number', { account: 'faulty', assets: [line], reason: 5 }, ['/reason']],
    [
      'faults in several places',
      { account: '', assets: [{ asset: 'gold' }], x: 1 },
      ['/account', '/assets/0/quantity', '/x'],
    ],
  ])('%s is refused, and says where', async (_what, body, paths) => {
    expectInvalid(await api.post(`/v1/${collection}`, body), ...paths);
    expectProblem(await api.get('/v1/accounts/faulty'), 404, 'account_not_found');
  });
});

describe('consumptions', () => {
  test('a consumption takes, and answers a receipt', async () => {
    receipt(await api.grant('c1', { gold: 100, gem: 2 }));
    const body = { account: 'c1', assets: [{ asset: 'gold', quantity: 30 }], reason: 'toll' };
    const taken = receipt(await api.post('/v1/consumptions', body));
    expect(taken).toMatchObject<Partial<Receipt>>({
      type: 'consumption',
      dryRun: false,
      entries: [{ account: 'c1', asset: 'gold', delta: -30, balance: 70 }],
      accounts: { c1: { version: 2 } },
      details: { reason: 'toll' },
    });
  });

  test('more than there is refuses all of it, and says what is missing', async () => {
    receipt(await api.grant('c2', { gold: 100, gem: 2 }));
    expectProblem(await api.consume('c2', { gold: 1, gem: 3 }), 409, 'insufficient_balance', {
      title: 'Insufficient balance',
      account: 'c2',
      asset: 'gem',
      required: 3,
      available: 2,
      retryable: false,
    });
    expect(await owned(api, 'c2')).toEqual({ gold: 100, gem: 2 });
  });

  test('an asset that the account never had', async () => {
    receipt(await api.grant('c3', { gold: 1 }));
    expectProblem(await api.consume('c3', { gem: 1 }), 409, 'insufficient_balance', {
      asset: 'gem',
      required: 1,
      available: 0,
    });
    expectProblem(await api.consume('c3', { moonstone: 1 }), 404, 'asset_not_found', { asset: 'moonstone' });
  });

  test('several lines of one asset add up before they are checked', async () => {
    receipt(await api.grant('c4', { gold: 5 }));
    const twice = (quantity: number): object => ({
      account: 'c4',
      assets: [
        { asset: 'gold', quantity },
        { asset: 'gold', quantity },
      ],
    });
    expectProblem(await api.post('/v1/consumptions', twice(3)), 409, 'insufficient_balance', {
      required: 6,
      available: 5,
    });
    expect(receipt(await api.post('/v1/consumptions', twice(2))).entries).toEqual([
      { account: 'c4', asset: 'gold', delta: -4, balance: 1 },
    ]);
  });

  test('everything can be taken', async () => {
    receipt(await api.grant('c5', { gold: 5 }));
    expect(receipt(await api.consume('c5', { gold: 5 })).entries).toEqual([
      { account: 'c5', asset: 'gold', delta: -5, balance: 0 },
    ]);
  });
});
