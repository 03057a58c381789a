import { beforeAll, describe, expect, test } from 'vitest';
import { lines, type Api } from '../support/api.ts';
import { openMarket } from '../support/market.ts';
import { expectInvalid, expectProblem, ok, type Page } from '../support/resources.ts';
import { servePair } from '../support/served-replicas.ts';

// The rules themselves. What they give is in test/end-to-end/rewards.test.ts.

let api: Api;
let other: Api;

beforeAll(async () => {
  [api, other] = await servePair();
  await openMarket(api);
});

const grant = lines({ xp: 10 });

test('a rule that is put comes back with its defaults, on any replica', async () => {
  const rule = {
    id: 'plain',
    on: { type: 'purchase', listing: null, asset: null },
    grant,
    dailyLimit: null,
    enabled: true,
  };
  expect(ok(await api.put('/v1/reward-rules/plain', { on: { type: 'purchase' }, grant }), 201)).toEqual(rule);
  expect(ok(await other.get('/v1/reward-rules/plain'))).toEqual(rule);
});

test('a rule comes back with everything that was put, and can be put as it came', async () => {
  const body = {
    on: { type: 'purchase', listing: 'sword', asset: 'gold' },
    grant: lines({ xp: 10, gem: 1 }),
    dailyLimit: 3,
    enabled: false,
  };
  const put = ok<{ id: string }>(await api.put('/v1/reward-rules/whole', body), 201);
  expect(put).toEqual({ id: 'whole', ...body });
  expect(ok(await other.put('/v1/reward-rules/whole', { ...put, id: undefined }))).toEqual(put);
});

test('putting a rule again replaces it, and what is left out takes its default', async () => {
  const first = { on: { type: 'sale', asset: 'sword' }, grant, dailyLimit: 1, enabled: false };
  ok(await api.put('/v1/reward-rules/again', first), 201);
  const replaced = ok(await api.put('/v1/reward-rules/again', { on: { type: 'grant' }, grant }));
  expect(replaced).toEqual({
    id: 'again',
    on: { type: 'grant', listing: null, asset: null },
    grant,
    dailyLimit: null,
    enabled: true,
  });
  expect(ok(await other.get('/v1/reward-rules/again'))).toEqual(replaced);
});

test('a rule that is not there', async () => {
  expectProblem(await api.get('/v1/reward-rules/unheard-of'), 404, 'reward_rule_not_found', {
    title: 'Reward rule not found',
    rule: 'unheard-of',
    retryable: false,
  });
});

describe('a rule that names what is not there is refused:', () => {
  test.each<[string, object, string, Record<string, unknown>]>([
    ['the listing', { on: { type: 'purchase', listing: 'none' } }, 'listing_not_found', { listing: 'none' }],
    ['the asset', { on: { type: 'sale', asset: 'none' } }, 'asset_not_found', { asset: 'none' }],
    ['the grant', { grant: lines({ xp: 1, none: 1 }) }, 'asset_not_found', { asset: 'none' }],
  ])('%s', async (_what, change, code, members) => {
    const body = { on: { type: 'purchase' }, grant, ...change };
    expectProblem(await api.put('/v1/reward-rules/faulty', body), 404, code, members);
    expectProblem(await api.get('/v1/reward-rules/faulty'), 404, 'reward_rule_not_found');
  });
});

const types = ['grant', 'consumption', 'transfer', 'purchase', 'sale'];

test.each(types)('the type %s may earn', async (type) => {
  const put = await api.put(`/v1/reward-rules/for.${type}`, { on: { type }, grant, enabled: false });
  expect(ok(put, 201)).toMatchObject({ on: { type } });
});

test.each<[string, Record<string, unknown>, string]>([
  ['no occasion', { on: undefined }, '/on'],
  ['no type', { on: {} }, '/on/type'],
  ['a type that there is not', { on: { type: 'quest' } }, '/on/type'],
  ['rewards, which earn none', { on: { type: 'reward' } }, '/on/type'],
  ['restocks, which have no account', { on: { type: 'restock' } }, '/on/type'],
  ['a listing of what has none', { on: { type: 'sale', listing: 'sword' } }, '/on/listing'],
  ['a listing that can’t be one', { on: { type: 'purchase', listing: 'a b' } }, '/on/listing'],
  ['an asset that can’t be one', { on: { type: 'purchase', asset: 5 } }, '/on/asset'],
  ['more of an occasion', { on: { type: 'purchase', recipe: 'x' } }, '/on/recipe'],
  ['no grant', { grant: undefined }, '/grant'],
  ['an empty grant', { grant: [] }, '/grant'],
  ['a grant of nothing', { grant: lines({ xp: 0 }) }, '/grant/0/quantity'],
  ['a daily limit of nothing', { dailyLimit: 0 }, '/dailyLimit'],
  ['a daily limit as text', { dailyLimit: '3' }, '/dailyLimit'],
  ['enabled as text', { enabled: 'true' }, '/enabled'],
  ['an unknown field', { since: 0 }, '/since'],
])('%s is refused, and says where', async (_what, change, path) => {
  const body = { on: { type: 'purchase' }, grant, ...change };
  expectInvalid(await api.put('/v1/reward-rules/faulty', body), path);
  expectProblem(await api.get('/v1/reward-rules/faulty'), 404, 'reward_rule_not_found');
});

test('a type that may not earn is answered with those that may', async () => {
  const answer = await api.put('/v1/reward-rules/faulty', { on: { type: 'reward' }, grant });
  expectProblem(answer, 400, 'invalid_request', {
    errors: [{ path: '/on/type', message: `must be one of ${types.join(', ')}`, in: 'body' }],
  });
});

test('a body that is none', async () => {
  expectInvalid(await api.call('PUT', '/v1/reward-rules/faulty', { raw: '{', headers: json }), '');
  const text = { raw: 'x', headers: { 'content-type': 'text/plain' } };
  expectProblem(await api.call('PUT', '/v1/reward-rules/faulty', text), 415, 'unsupported_media_type');
  const large = { raw: `{"x":"${'x'.repeat(1024 * 1024)}"}`, headers: json };
  expectProblem(await api.call('PUT', '/v1/reward-rules/faulty', large), 413, 'payload_too_large');
});

const json = { 'content-type': 'application/json' };

test('the list holds every rule once, in the byte order of the ids', async () => {
  for (const id of ['b', 'A', 'a', 'a.b', 'a-b'])
    ok(await api.put(`/v1/reward-rules/order.${id}`, { on: { type: 'sale' }, grant }), 201);
  const seen: { id: string }[] = [];
  for (let query = '?limit=2'; ;) {
    const page = ok<Page<{ id: string }>>(await api.get(`/v1/reward-rules${query}`));
    seen.push(...page.data);
    if (page.nextCursor === null) break;
    query = `?limit=2&cursor=${encodeURIComponent(page.nextCursor)}`;
  }
  const ids = seen.map(({ id }) => id);
  expect(ids.filter((id) => id.startsWith('order.'))).toEqual(
    ['A', 'a', 'a-b', 'a.b', 'b'].map((id) => `order.${id}`),
  );
  expect(ids).toEqual([...ids].sort());
  expect(seen).toContainEqual(ok(await api.get('/v1/reward-rules/order.a')));
});

test('a cursor of another list is refused', async () => {
  const { nextCursor } = ok<Page<unknown>>(await api.get('/v1/assets?limit=1'));
  const path = `/v1/reward-rules?cursor=${encodeURIComponent(String(nextCursor))}`;
  expectProblem(await api.get(path), 400, 'invalid_cursor');
});
