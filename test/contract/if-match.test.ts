import { beforeAll, describe, expect, test } from 'vitest';
import { lines, type Answer, type Api } from '../support/api.ts';
import { expectProblem, ok, receipt } from '../support/resources.ts';
import { serveMarketPair } from '../support/served-market.ts';

let api: Api;
let other: Api;

beforeAll(async () => {
  [api, other] = await serveMarketPair();
});

async function version(account: string): Promise<unknown> {
  return ok<{ version: number }>(await api.get(`/v1/accounts/${account}`)).version;
}

const operations: readonly [string, (account: string) => unknown][] = [
  ['grants', (account) => ({ account, assets: lines({ gold: 1 }) })],
  ['consumptions', (account) => ({ account, assets: lines({ gold: 1 }) })],
  ['purchases', (account) => ({ account, listing: 'sword' })],
  ['sales', (account) => ({ account, asset: 'sword', quantity: 1 })],
];

describe.each(operations)('%s', (collection, bodyFor) => {
  const account = `matched.${collection}`;
  const send = (ifMatch: string): Promise<Answer> =>
    api.post(`/v1/${collection}`, bodyFor(account), { headers: { 'if-match': ifMatch } });

  test('are done at the version that is given, and at no other', async () => {
    receipt(await api.grant(account, { gold: 100, sword: 1 }));
    for (const stale of ['"0"', '"2"', '"9007199254740991"']) {
      expectProblem(await send(stale), 412, 'version_mismatch', {
        title: 'Version mismatch',
        instance: `/v1/${collection}`,
        account,
        retryable: false,
      });
    }
    expect(await version(account)).toBe(1);
    expect(receipt(await send('"1"')).accounts).toEqual({ [account]: { version: 2 } });
    expectProblem(await send('"1"'), 412, 'version_mismatch');
    expect(await version(account)).toBe(2);
  });
});

test('an ETag can be given back as it came', async () => {
  receipt(await api.grant('etag', { gold: 5 }));
  const { etag } = (await other.inventory('etag')).headers;
  const call = { headers: { 'if-match': etag } };
  receipt(await api.consume('etag', { gold: 1 }, call));
  expectProblem(await other.consume('etag', { gold: 1 }, call), 412, 'version_mismatch');
});

test('of many who saw the same version, over two replicas, one gets through', async () => {
  receipt(await api.grant('raced', { gold: 100 }));
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      (i % 2 === 0 ? api : other).consume('raced', { gold: 1 }, { headers: { 'if-match': '"1"' } }),
    ),
  );
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
  for (const answer of answers.filter(({ status }) => status !== 201))
    expectProblem(answer, 412, 'version_mismatch');
  expect(ok(await api.inventory('raced'))).toMatchObject({ version: 2, holdings: [{ quantity: 99 }] });
});

test('the version is judged before the rules', async () => {
  receipt(await api.grant('judged', { gold: 1 }));
  const stale = { headers: { 'if-match': '"7"' } };
  expectProblem(await api.consume('judged', { gold: 1000 }, stale), 412, 'version_mismatch');
  const current = { headers: { 'if-match': '"1"' } };
  expectProblem(await api.consume('judged', { gold: 1000 }, current), 409, 'insufficient_balance');
});

test('the key is judged before the version: a replay is answered though the version has moved on', async () => {
  receipt(await api.grant('replayed', { gold: 10 }));
  const call = { key: 'once', headers: { 'if-match': '"1"' } };
  const first = await api.consume('replayed', { gold: 1 }, call);
  receipt(first);
  const again = await other.consume('replayed', { gold: 1 }, call);
  expect(again).toMatchObject({ status: 201, text: first.text });
  expect(again.headers['idempotency-replayed']).toBe('true');
});

test('a mismatch does not use up the key', async () => {
  receipt(await api.grant('unused', { gold: 10 }));
  const call = (ifMatch: string): object => ({ key: 'kept', headers: { 'if-match': ifMatch } });
  expectProblem(await api.consume('unused', { gold: 1 }, call('"9"')), 412, 'version_mismatch');
  receipt(await api.consume('unused', { gold: 1 }, call('"1"')));
});

test('no version but 0 fits an account that is not there', async () => {
  const call = { headers: { 'if-match': '"1"' } };
  expectProblem(await api.grant('absent', { gold: 1 }, call), 412, 'version_mismatch');
  expectProblem(await api.get('/v1/accounts/absent'), 404, 'account_not_found');
});

test('an account that was put and has no operation yet is at version 0', async () => {
  ok(await api.put('/v1/accounts/fresh', {}), 201);
  receipt(await api.grant('fresh', { gold: 1 }, { headers: { 'if-match': '"0"' } }));
});

test.each(['1', '"one"', '""', '"-1"', '"1.0"', '"01"', '"1', "'1'", '"1" "2"', '"1e0"'])(
  'If-Match: %s is refused',
  async (ifMatch) => {
    receipt(await api.grant('malformed', { gold: 1 }));
    const before = await version('malformed');
    const answer = await api.grant('malformed', { gold: 1 }, { headers: { 'if-match': ifMatch } });
    expectProblem(answer, 400, 'invalid_request');
    expect(await version('malformed')).toBe(before);
  },
);

test('on a transfer, which is about two accounts, it is refused rather than ignored', async () => {
  receipt(await api.grant('sender', { gold: 10 }));
  for (const ifMatch of ['"1"', '"7"']) {
    const answer = await api.transfer(
      'sender',
      'receiver',
      { gold: 1 },
      { headers: { 'if-match': ifMatch } },
    );
    expectProblem(answer, 400, 'invalid_request');
  }
  expect(await version('sender')).toBe(1);
});
