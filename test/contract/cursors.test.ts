import { beforeAll, describe, expect, test } from 'vitest';
import { lines, type Api } from '../support/api.ts';
import { expectProblem, ok, receipt } from '../support/resources.ts';
import { serveMarket } from '../support/served-market.ts';

let api: Api;
const cursors: Record<string, string> = {};

/** Every list, and the name of what goes on with it. */
const lists = {
  assets: { path: '/v1/assets', parameter: 'cursor' },
  listings: { path: '/v1/listings', parameter: 'cursor' },
  inventory: { path: '/v1/accounts/lister/inventory', parameter: 'cursor' },
  entries: { path: '/v1/accounts/lister/entries', parameter: 'cursor' },
  feed: { path: '/v1/operations', parameter: 'after' },
};

const names = Object.keys(lists) as (keyof typeof lists)[];

function url(list: keyof typeof lists, cursor: string, rest = ''): string {
  const { path, parameter } = lists[list];
  return `${path}?${parameter}=${encodeURIComponent(cursor)}${rest}`;
}

interface AnyPage {
  readonly data?: readonly unknown[];
  readonly holdings?: readonly unknown[];
  readonly nextCursor: string | null;
}

const rowsOf = ({ data, holdings }: AnyPage): readonly unknown[] => data ?? holdings ?? [];

beforeAll(async () => {
  ({ api } = await serveMarket());
  for (let i = 0; i < 10; i += 1)
    ok(await api.put(`/v1/listings/page.${i}`, { price: [], goods: lines({ xp: 1 }) }), 201);
  for (const asset of ['gold', 'gem', 'sword', 'bow', 'potion', 'xp'])
    for (const account of ['lister', 'stranger']) receipt(await api.grant(account, { [asset]: 2 }));
  for (const list of names) {
    const { nextCursor } = ok<AnyPage>(await api.get(`${lists[list].path}?limit=2`));
    cursors[list] = String(nextCursor);
  }
});

describe.each(names)('%s', (list) => {
  test.each([1, 2, 3, 4, 6, 11, 12, 199, 200])(
    'pages of %i hold everything once, in order',
    async (limit) => {
      const whole = rowsOf(ok<AnyPage>(await api.get(`${lists[list].path}?limit=200`)));
      expect(whole.length).toBeGreaterThan(5);
      const seen: unknown[] = [];
      let path = `${lists[list].path}?limit=${limit}`;
      for (;;) {
        const page = ok<AnyPage>(await api.get(path));
        expect(rowsOf(page).length).toBeLessThanOrEqual(limit);
        seen.push(...rowsOf(page));
        expect(seen.length).toBeLessThanOrEqual(whole.length);
        // The feed has a cursor at its end as well; the others have none there, and no empty page.
        if (list === 'feed' ? rowsOf(page).length < limit : page.nextCursor === null) break;
        expect(rowsOf(page)).toHaveLength(limit);
        path = url(list, String(page.nextCursor), `&limit=${limit}`);
      }
      expect(seen).toEqual(whole);
    },
  );

  test.each([
    'limit=0',
    'limit=201',
    'limit=-1',
    'limit=1.5',
    'limit=ten',
    'limit=',
    'limit=%20',
    'limit=1&limit=2',
  ])('?%s is refused', async (query) => {
    expectProblem(await api.get(`${lists[list].path}?${query}`), 400, 'invalid_request');
  });

  test.each([
    'x',
    '!!!',
    '0',
    '-1',
    'null',
    '{}',
    'e30',
    'bnVsbA',
    'AAAA',
    '\u0000',
    'ünïcode',
    '1 OR 1=1',
    'a'.repeat(500),
  ])('a cursor of %s is invalid', async (cursor) => {
    expectProblem(await api.get(url(list, cursor)), 400, 'invalid_cursor', {
      title: 'Invalid cursor',
      instance: lists[list].path,
      retryable: false,
    });
  });

  test('an empty cursor is refused', async () => {
    expect((await api.get(url(list, ''))).status).toBe(400);
  });

  test('a cursor that is too long is refused', async () => {
    expect((await api.get(url(list, 'a'.repeat(2000)))).status).toBe(400);
  });

  test('a cursor that was cut is invalid', async () => {
    const cursor = cursors[list] ?? '';
    for (let length = 1; length < cursor.length; length += 1)
      expectProblem(await api.get(url(list, cursor.slice(0, length))), 400, 'invalid_cursor');
  });

  test('a cursor with something after it is invalid', async () => {
    for (const rest of ['x', 'AAAA', '=', '.'])
      expectProblem(await api.get(url(list, `${cursors[list] ?? ''}${rest}`)), 400, 'invalid_cursor');
  });

  test('a cursor of another list is invalid', async () => {
    for (const foreign of names.filter((name) => name !== list))
      expectProblem(await api.get(url(list, cursors[foreign] ?? '')), 400, 'invalid_cursor');
  });

  test('a cursor whose content was given other types is invalid', async () => {
    const content = Buffer.from(cursors[list] ?? '', 'base64url').toString('utf8');
    for (const value of forgeries(content)) {
      const cursor = Buffer.from(value).toString('base64url');
      const answer = await api.get(url(list, cursor));
      // Some other place in the same list is a cursor like any other; what is no place must not be taken for one.
      expect(answer.status, value).toBe(400);
      expectProblem(answer, 400, 'invalid_cursor');
    }
  });
});

/** The JSON of a cursor, with each of its values given another type, or left out. A cursor that is no JSON is garbled. */
function forgeries(content: string): string[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(content);
  } catch {
    return [`${content}x`, `x${content}`, '[]', '{}', '0', 'null'];
  }
  const strange = [null, true, {}, [], [1], 1.5, -1, 1e300, 9_007_199_254_740_992];
  const forged: unknown[] = [...strange, 'text'];
  if (typeof parsed === 'object' && parsed !== null) {
    for (const [name, value] of Object.entries(parsed)) {
      const others = typeof value === 'number' ? [...strange, String(value)] : strange;
      for (const other of others) forged.push(withMember(parsed, name, other));
      forged.push(withMember(parsed, name, undefined));
    }
    forged.push(withMember(parsed, Array.isArray(parsed) ? String(parsed.length) : 'more', 1));
  }
  return forged.map((value) => JSON.stringify(value)).filter((text) => text !== content);
}

function withMember(whole: object, name: string, value: unknown): unknown {
  const copy = structuredClone(whole) as Record<string, unknown>;
  if (value === undefined) {
    if (Array.isArray(copy)) copy.splice(Number(name), 1);
    else Reflect.deleteProperty(copy, name);
  } else copy[name] = value;
  return copy;
}

test('a cursor of another account’s entries or inventory is invalid', async () => {
  for (const list of ['entries', 'inventory'] as const) {
    const cursor = encodeURIComponent(cursors[list] ?? '');
    const answer = await api.get(`/v1/accounts/stranger/${list}?cursor=${cursor}`);
    expectProblem(answer, 400, 'invalid_cursor');
  }
});
