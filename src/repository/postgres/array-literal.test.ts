import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase } from '../../../test/support/database.ts';
import { arrayLiteral } from './array-literal.ts';

let client: pg.Client;

beforeAll(async () => {
  client = new pg.Client({ connectionString: (await createTestDatabase()).url });
  await client.connect();
});

afterAll(async () => await client.end());

test('it is written as the server reads it', () => {
  expect(arrayLiteral([])).toBe('{}');
  expect(arrayLiteral(['a', 'B.c'])).toBe('{"a","B.c"}');
  expect(arrayLiteral([1, -2, 9007199254740991, null])).toBe('{1,-2,9007199254740991,NULL}');
  expect(arrayLiteral([true, false])).toBe('{true,false}');
  expect(arrayLiteral(['"', '\\', 'NULL', ''])).toBe('{"\\"","\\\\","NULL",""}');
});

test('any text, and null beside it, comes back from the server as it was', async () => {
  const awkward = fc.constantFrom(
    '"',
    '\\',
    '{',
    '}',
    ',',
    "'",
    ' ',
    '\n',
    '\t',
    'NULL',
    'n',
    'ß',
    '💰',
    '\u{85}',
  );
  const text = fc.oneof(
    fc.string({ unit: awkward }),
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('', 'NULL', 'null', '{}', '""', '\\"'),
  );
  const storable = text.filter((value) => !value.includes('\0'));
  const property = fc.asyncProperty(fc.array(fc.option(storable), { maxLength: 8 }), async (values) => {
    const { rows } = await client.query<{ back: unknown }>('select to_json($1::text[]) as back', [
      arrayLiteral(values),
    ]);
    expect(rows).toEqual([{ back: values }]);
  });
  await fc.assert(property, { numRuns: 300 });
});

test('any integer that a quantity can be comes back from the server as it was', async () => {
  const property = fc.asyncProperty(fc.array(fc.option(fc.maxSafeInteger())), async (values) => {
    const { rows } = await client.query<{ back: unknown }>('select to_json($1::bigint[]) as back', [
      arrayLiteral(values),
    ]);
    expect(rows).toEqual([{ back: values }]);
  });
  await fc.assert(property, { numRuns: 100 });
});
