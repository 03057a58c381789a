import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { errorCodes } from '../../src/http/error-codes.ts';

test('PRODUCTION.md says of every error code what the operator does, with its status, and of no other', async () => {
  const text = await readFile(new URL('../../PRODUCTION.md', import.meta.url), 'utf8');
  const [, section = ''] = /^## Errors$(.*?)^## /ms.exec(text) ?? [];
  const rows = [...section.matchAll(/^\| (\d{3}) \| ((?:`[a-z_]+`(?:, )?)+) \| (.+) \|$/gm)];
  const listed = rows.flatMap(([, status, codes = '']) =>
    [...codes.matchAll(/`([a-z_]+)`/g)].map(([, code = '']) => [code, Number(status)] as const),
  );
  const expected = Object.entries(errorCodes).map(([code, { status }]) => [code, status] as const);
  expect(listed.length).toBe(expected.length);
  expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(expected));
});
