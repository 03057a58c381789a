import { beforeAll, expect, test } from 'vitest';
import type { Api } from '../support/api.ts';
import { expectInvalid, ok, receipt, type Inventory } from '../support/resources.ts';
import { serveReplica } from '../support/served-replicas.ts';

let api: Api;

const levels = [0, 100, 300];
const stat = { name: 'Experience', kind: 'stat' };

beforeAll(async () => {
  ({ api } = await serveReplica());
  ok(await api.put('/v1/assets/xp', { ...stat, properties: { levels, unit: 'points' } }), 201);
  ok(await api.put('/v1/assets/fame', stat), 201);
  ok(await api.put('/v1/assets/gold', { name: 'Gold', kind: 'currency', properties: { levels } }), 201);
});

const levelsOf = async (account: string) =>
  Object.fromEntries(
    ok<Inventory>(await api.inventory(account)).holdings.map(({ asset, level }) => [asset, level]),
  );

test('an inventory shows the level of a stat that has levels, and of nothing else', async () => {
  receipt(await api.grant('climber', { xp: 99, fame: 99, gold: 99 }));
  expect(await levelsOf('climber')).toEqual({ xp: 1, fame: undefined, gold: undefined });
  receipt(await api.grant('climber', { xp: 1 }));
  expect(await levelsOf('climber')).toEqual({ xp: 2 });
  receipt(await api.grant('climber', { xp: 200 }));
  const shown = ok<Inventory>(await api.inventory('climber', '?asset=xp'));
  expect(shown.holdings).toEqual([
    { asset: 'xp', kind: 'stat', quantity: 300, reserved: 0, available: 300, level: 3 },
  ]);
  receipt(await api.consume('climber', { xp: 299 }));
  expect(await levelsOf('climber')).toMatchObject({ xp: 1 });
});

test('a new curve makes new levels at once, whatever version of the inventory the client has', async () => {
  ok(await api.put('/v1/assets/skill', { ...stat, properties: { levels: [10] } }), 201);
  receipt(await api.grant('learner', { skill: 10 }));
  const seen = await api.inventory('learner');
  expect(ok<Inventory>(seen).holdings).toMatchObject([{ level: 1 }]);
  ok(await api.put('/v1/assets/skill', { ...stat, properties: { levels: [1, 2, 3] } }));
  const again = await api.inventory('learner', '', { 'if-none-match': seen.headers.etag });
  expect(ok<Inventory>(again).holdings).toMatchObject([{ level: 3 }]);
});

test.each<[string, unknown, string]>([
  ['no list', 'steep', '/properties/levels'],
  ['an empty list', [], '/properties/levels'],
  ['too long', Array.from({ length: 1001 }, (_, i) => i), '/properties/levels'],
  ['not ascending', [0, 100, 100], '/properties/levels/2'],
  ['a threshold as text', [0, '100'], '/properties/levels/1'],
  ['a threshold below nothing', [-1], '/properties/levels/0'],
  ['a broken threshold', [0, 0.5], '/properties/levels/1'],
])('a curve of a stat that is %s is refused, and says where', async (_what, faulty, path) => {
  expectInvalid(await api.put('/v1/assets/faulty', { ...stat, properties: { levels: faulty } }), path);
});

test('levels of anything but a stat are the client’s own', async () => {
  const body = { name: 'Tower', kind: 'item', properties: { levels: 'seven' } };
  expect(ok(await api.put('/v1/assets/tower', body), 201)).toMatchObject(body);
});
