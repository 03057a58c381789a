import { beforeAll, describe, expect, test } from 'vitest';
import type { Api } from '../support/api.ts';
import { callerWith, makeKey, playerToken, playerTokenEnv } from '../support/callers.ts';
import { expectProblem, ok, receipt, type Receipt } from '../support/resources.ts';
import { serveMarket } from '../support/served-market.ts';

// Who may call what: every route that is published, with every role.

const everyone = ['admin', 'service', 'reader', 'player'];
const own = 'player';

/** Each route's roles, as the contract has them. A player's is about its own account, `own`; `other` is another's. */
const routes: Readonly<
  Record<string, { roles: readonly string[]; own?: string; body?: object; other?: object; query?: string }>
> = {
  'GET /v1/assets': { roles: everyone },
  'GET /v1/assets/{asset}': { roles: everyone },
  'PUT /v1/assets/{asset}': { roles: ['admin'], body: { name: 'Gold', kind: 'currency' } },
  'GET /v1/listings': { roles: everyone },
  'GET /v1/listings/{listing}': { roles: everyone },
  'PUT /v1/listings/{listing}': { roles: ['admin'], body: { price: [], goods: [] } },
  'POST /v1/listings/{listing}/restock': { roles: ['admin'], body: { quantity: 1 } },
  'GET /v1/reward-rules': { roles: everyone },
  'GET /v1/reward-rules/{rule}': { roles: everyone },
  'PUT /v1/reward-rules/{rule}': {
    roles: ['admin'],
    body: { on: { type: 'sale' }, grant: [{ asset: 'xp', quantity: 1 }], enabled: false },
  },
  'GET /v1/accounts/{account}': { roles: everyone, own },
  'PUT /v1/accounts/{account}': { roles: ['admin', 'service'], body: {} },
  'GET /v1/accounts/{account}/inventory': { roles: everyone, own },
  'GET /v1/accounts/{account}/entries': { roles: everyone, own },
  'POST /v1/grants': {
    roles: ['admin', 'service'],
    body: { account: own, assets: [{ asset: 'gold', quantity: 1 }] },
  },
  'POST /v1/consumptions': {
    roles: ['admin', 'service', 'player'],
    body: { account: own, assets: [{ asset: 'gold', quantity: 1 }] },
    other: { account: 'other', assets: [{ asset: 'gold', quantity: 1 }] },
  },
  'POST /v1/transfers': {
    roles: ['admin', 'service'],
    body: { from: own, to: 'other', assets: [{ asset: 'gold', quantity: 1 }] },
  },
  'POST /v1/purchases': {
    roles: ['admin', 'service', 'player'],
    body: { account: own, listing: 'sword' },
    other: { account: 'other', listing: 'sword' },
  },
  'POST /v1/sales': {
    roles: ['admin', 'service', 'player'],
    body: { account: own, asset: 'sword', quantity: 1 },
    other: { account: 'other', asset: 'sword', quantity: 1 },
  },
  'GET /v1/operations': { roles: ['admin', 'service', 'reader'] },
  // With a cursor that is none: whoever may follow is told so, instead of being sent events without end.
  'GET /v1/operations/stream': { roles: ['admin', 'service', 'reader'], query: '?after=x' },
  'GET /v1/operations/{id}': { roles: everyone, own },
  'POST /v1/verifications': { roles: ['admin'], body: {} },
  'GET /v1/verifications': { roles: ['admin'] },
  'GET /v1/verifications/{id}': { roles: ['admin'] },
  'POST /v1/api-keys': { roles: ['admin'], body: { name: 'made', role: 'reader' } },
  'GET /v1/api-keys': { roles: ['admin'] },
  'DELETE /v1/api-keys/{id}': { roles: ['admin'] },
  'POST /v1/webhooks': { roles: ['admin'], body: { url: 'https://shop.example/hook' } },
  'GET /v1/webhooks': { roles: ['admin'] },
  'GET /v1/webhooks/{id}': { roles: ['admin'] },
  'DELETE /v1/webhooks/{id}': { roles: ['admin'] },
  'POST /v1/webhooks/{id}/rotate-secret': { roles: ['admin'], body: {} },
  'GET /v1/webhooks/{id}/deliveries': { roles: ['admin'] },
  'POST /v1/webhooks/{id}/deliveries/{delivery}/retry': { roles: ['admin'], body: {} },
};

const nobody = '0199a7c2-0000-7000-8000-000000000000';
let admin: Api;
/** By role; a player both as a key and as a token. */
let callers: Readonly<Record<string, Api>>;
let operations: Readonly<Record<string, Receipt>>;

beforeAll(async () => {
  ({ api: admin } = await serveMarket({ env: playerTokenEnv }));
  operations = {
    [own]: receipt(await admin.grant(own, { gold: 1000, sword: 50 })),
    other: receipt(await admin.grant('other', { gold: 1000, sword: 50 })),
  };
  const keys = ['admin', 'service', 'reader'].map(
    async (role) => [role, (await makeKey(admin, { name: `a-${role}`, role })).secret] as const,
  );
  const playerKey = (await makeKey(admin, { name: 'a-player', role: 'player', account: own })).secret;
  const tokens = Object.fromEntries([
    ...(await Promise.all(keys)),
    ['player', playerKey],
    ['player token', await playerToken(own)],
  ]) as Record<string, string>;
  callers = Object.fromEntries(Object.entries(tokens).map(([who, token]) => [who, callerWith(admin, token)]));
});

test('every published route is among these', () => {
  const published = Object.entries(admin.published.document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(published.filter((route) => route.includes(' /v1/')).sort()).toEqual(Object.keys(routes).sort());
});

function callerNamed(who: string): Api {
  const caller = callers[who];
  if (caller === undefined) throw new Error(`there is no caller ${who}`);
  return caller;
}

async function send(
  who: string,
  route: string,
  about: string,
  body: object | undefined,
): Promise<Awaited<ReturnType<Api['call']>>> {
  const [method = '', template = ''] = route.split(' ');
  const id = template.includes('/operations/') ? operations[about]?.id : nobody;
  const path = template
    .replace('{account}', about)
    .replace('{asset}', 'gold')
    .replace('{listing}', 'sword')
    .replace('{rule}', 'xp')
    .replace('{id}', id ?? nobody)
    .replace('{delivery}', nobody)
    .concat(routes[route]?.query ?? '');
  return await callerNamed(who).call(method, path, body === undefined ? {} : { json: body });
}

describe.each(Object.entries(routes))('%s', (route, { roles, body }) => {
  test.each(['admin', 'service', 'reader', 'player', 'player token'])('for %s', async (who) => {
    const [role = ''] = who.split(' ');
    const answer = await send(who, route, own, body);
    if (roles.includes(role)) expect(answer.status, answer.text).not.toBe(403);
    else expectProblem(answer, 403, 'forbidden', { detail: `the role ${role} may not do this` });
    expect(answer.status).not.toBe(401);
  });
});

const aboutAccounts = Object.entries(routes).filter(
  ([, { own: owned, other }]) => owned !== undefined || other !== undefined,
);

describe.each(aboutAccounts)('%s about another’s account', (route, { body, other }) => {
  test.each(['player', 'player token'])('is not for a %s', async (who) => {
    expectProblem(await send(who, route, 'other', other ?? body), 403, 'forbidden', {
      detail: 'a player may act on its own account alone',
    });
  });
});

test('what a player was refused has not happened, and what it did is under its name', async () => {
  const player = callerNamed('player token');
  const before = ok(await admin.inventory('other'));
  expectProblem(await player.purchase('other', 'sword'), 403, 'forbidden');
  expect(ok(await admin.inventory('other'))).toEqual(before);
  expect(receipt(await player.purchase(own, 'sword'))).toMatchObject({ actor: `player:${own}` });
  expect(receipt(await callerNamed('player').purchase(own, 'sword'))).toMatchObject({
    actor: 'key:a-player',
  });
});
