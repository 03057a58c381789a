import { beforeAll, expect, test } from 'vitest';
import type { Api } from '../support/api.ts';
import { expectInvalid, expectProblem, ok, type Page } from '../support/resources.ts';
import { serveReplica } from '../support/served-replicas.ts';

let api: Api;

beforeAll(async () => {
  ({ api } = await serveReplica());
  ok(await api.put('/v1/assets/gold', { name: 'Gold', kind: 'currency' }), 201);
});

test('an asset that is put comes back with its defaults', async () => {
  const asset = {
    id: 'silver',
    name: 'Silver',
    kind: 'currency',
    stackLimit: null,
    tradable: true,
    sellPrice: null,
    tags: [],
    properties: {},
  };
  expect(ok(await api.put('/v1/assets/silver', { name: 'Silver', kind: 'currency' }), 201)).toEqual(asset);
  expect(ok(await api.get('/v1/assets/silver'))).toEqual(asset);
});

test('an asset comes back with everything that was put', async () => {
  const body = {
    name: 'Sword of Dawn',
    kind: 'item',
    stackLimit: 99,
    tradable: false,
    sellPrice: [{ asset: 'gold', quantity: 4 }],
    tags: ['weapon', 'rare'],
    properties: { damage: 12.5, nested: { list: [1, null, 'x', true] } },
  };
  const asset = { id: 'dawn', ...body };
  expect(ok(await api.put('/v1/assets/dawn', body), 201)).toEqual(asset);
  expect(ok(await api.get('/v1/assets/dawn'))).toEqual(asset);
});

test('putting an asset again replaces it, and what is left out takes its default', async () => {
  const first = {
    name: 'Shield',
    kind: 'item',
    stackLimit: 3,
    tradable: false,
    tags: ['a'],
    properties: { a: 1 },
  };
  ok(await api.put('/v1/assets/shield', first), 201);
  const replaced = ok(await api.put('/v1/assets/shield', { name: 'Buckler', kind: 'item' }));
  expect(replaced).toEqual({
    id: 'shield',
    name: 'Buckler',
    kind: 'item',
    stackLimit: null,
    tradable: true,
    sellPrice: null,
    tags: [],
    properties: {},
  });
  expect(ok(await api.get('/v1/assets/shield'))).toEqual(replaced);
});

test('putting the same asset again changes nothing', async () => {
  const body = { name: 'Ring', kind: 'item', tags: ['b', 'a'], properties: { z: 1, a: 2 } };
  const first = await api.put('/v1/assets/ring', body);
  const second = await api.put('/v1/assets/ring', body);
  expect([first.status, second.status]).toEqual([201, 200]);
  expect(second.body).toEqual(first.body);
});

test('the kind of an asset never changes', async () => {
  expectProblem(await api.put('/v1/assets/gold', { name: 'Gold', kind: 'item' }), 409, 'catalog_conflict');
  expect(ok(await api.get('/v1/assets/gold'))).toMatchObject({ kind: 'currency' });
});

test('an asset that is not there', async () => {
  expectProblem(await api.get('/v1/assets/unheard-of'), 404, 'asset_not_found', {
    title: 'Asset not found',
    type: '/docs/errors#asset_not_found',
    instance: '/v1/assets/unheard-of',
    asset: 'unheard-of',
    retryable: false,
  });
});

test('a sell price in an asset that is not there', async () => {
  const body = { name: 'X', kind: 'item', sellPrice: [{ asset: 'moonstone', quantity: 1 }] };
  expectProblem(await api.put('/v1/assets/priced', body), 404, 'asset_not_found', { asset: 'moonstone' });
  expectProblem(await api.get('/v1/assets/priced'), 404, 'asset_not_found');
});

test.each<[string, Record<string, unknown>, string]>([
  ['no name', { name: undefined }, '/name'],
  ['an empty name', { name: '' }, '/name'],
  ['a name that is a number', { name: 5 }, '/name'],
  ['no kind', { kind: undefined }, '/kind'],
  ['an unknown kind', { kind: 'spell' }, '/kind'],
  ['a kind in capitals', { kind: 'ITEM' }, '/kind'],
  ['a stack limit of nothing', { stackLimit: 0 }, '/stackLimit'],
  ['a broken stack limit', { stackLimit: 1.5 }, '/stackLimit'],
  ['a stack limit as text', { stackLimit: '5' }, '/stackLimit'],
  ['tradable as text', { tradable: 'false' }, '/tradable'],
  ['tradable as a number', { tradable: 0 }, '/tradable'],
  ['tags that are not a list', { tags: 'weapon' }, '/tags'],
  ['a tag that is a number', { tags: ['a', 5] }, '/tags/1'],
  ['properties that are a list', { properties: [] }, '/properties'],
  ['properties that are text', { properties: 'x' }, '/properties'],
  ['a sell price that is not a list', { sellPrice: { asset: 'gold', quantity: 1 } }, '/sellPrice'],
  ['a sell price of nothing', { sellPrice: [{ asset: 'gold', quantity: 0 }] }, '/sellPrice/0/quantity'],
  ['a sell price without an asset', { sellPrice: [{ quantity: 1 }] }, '/sellPrice/0/asset'],
  ['an unknown field', { colour: 'red' }, '/colour'],
  ['an id in the body', { id: 'faulty' }, '/id'],
  [
    'an unknown field further in',
    { sellPrice: [{ asset: 'gold', quantity: 1, per: 2 }] },
    '/sellPrice/0/per',
  ],
])('%s is refused, and says where', async (_what, change, path) => {
  const answer = await api.put('/v1/assets/faulty', { name: 'Faulty', kind: 'item', ...change });
  expectInvalid(answer, path);
  expectProblem(await api.get('/v1/assets/faulty'), 404, 'asset_not_found');
});

test('all faults of a body are named at once', async () => {
  const body = { kind: 'spell', stackLimit: -1, tradable: 'no', colour: 'red' };
  expectInvalid(
    await api.put('/v1/assets/faulty', body),
    '/name',
    '/kind',
    '/stackLimit',
    '/tradable',
    '/colour',
  );
});

test('the list holds every asset once, in the byte order of the ids', async () => {
  for (const id of ['b', 'A', 'a', 'B', '0', 'a.b', 'a-b', 'a_b', 'a:b', 'a@b', 'ab'])
    ok(await api.put(`/v1/assets/order.${id}`, { name: id, kind: 'stat' }), 201);
  const page = ok<Page<{ id: string }>>(await api.get('/v1/assets?limit=200'));
  const ids = page.data.map(({ id }) => id);
  expect(page.nextCursor).toBeNull();
  expect(ids.filter((id) => id.startsWith('order.'))).toEqual(
    ['0', 'A', 'B', 'a', 'a-b', 'a.b', 'a:b', 'a@b', 'a_b', 'ab', 'b'].map((id) => `order.${id}`),
  );
  expect(ids).toEqual([...ids].sort());
  expect(page.data.find(({ id }) => id === 'gold')).toEqual(ok(await api.get('/v1/assets/gold')));
});
