import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { settings } from '../../src/config/settings.ts';
import { environments, type Environment, type Setting } from '../../src/config/setting.ts';

/** A row of the table, read without the code that wrote it. */
interface Row {
  readonly name: string;
  readonly type: string;
  readonly defaults: Readonly<Record<Environment, string | null>>;
}

test('PRODUCTION.md lists every setting with the type and the defaults that hold, and no other', async () => {
  const text = await readFile(new URL('../../PRODUCTION.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `([A-Z_]+)` \| (.*?) \| (.*?) \| .+ \|$/gm)].map(rowOf);
  const expected = Object.entries<Setting<unknown>>(settings).map(([name, { type, defaultIn }]) => ({
    name,
    type,
    defaults: Object.fromEntries(
      environments.map((environment) => [environment, defaultIn(environment) ?? null]),
    ),
  }));
  expect(rows).toEqual(expected);
});

function rowOf([, name = '', type = '', column = '']: RegExpMatchArray): Row {
  const named = new Map([...column.matchAll(/(\w+) `([^`]*)`/g)].map(([, key, value]) => [key, value]));
  const valueIn = (environment: Environment): string | null => {
    if (named.size > 0) return named.get(environment) ?? 'missing';
    if (column.startsWith('none')) return null;
    return column === 'empty' ? '' : column.replaceAll('`', '');
  };
  const [development, staging, production] = environments.map(valueIn);
  return {
    name,
    type: type.replaceAll('\\|', '|'),
    defaults: { development, staging, production } as Row['defaults'],
  };
}
