import { hash } from 'node:crypto';
import { expect, test } from 'vitest';
import { apiKeyPrefix, isApiKey, newApiKeyToken } from './api-key-token.ts';

test('a key begins with its prefix, and its digest is that of all of it', () => {
  const { token, prefix, digest } = newApiKeyToken();
  expect(token).toMatch(/^hf_[A-Za-z0-9]{10}_[A-Za-z0-9]{43}$/);
  expect(apiKeyPrefix(token)).toBe(prefix);
  expect(digest).toEqual(hash('sha256', token, 'buffer'));
  expect(isApiKey(token, digest)).toBe(true);
});

test('another key is not it, also where only the last character differs', () => {
  const { token, digest } = newApiKeyToken();
  const last = token.endsWith('a') ? 'b' : 'a';
  expect(isApiKey(`${token.slice(0, -1)}${last}`, digest)).toBe(false);
  expect(isApiKey(newApiKeyToken().token, digest)).toBe(false);
});

test('no two are the same', () => {
  const tokens = Array.from({ length: 1000 }, newApiKeyToken);
  expect(new Set(tokens.map(({ token }) => token)).size).toBe(1000);
  expect(new Set(tokens.map(({ prefix }) => prefix)).size).toBe(1000);
});

test.each(['', 'hf_', 'hf_short_x', `hf_${'a'.repeat(10)}_${'b'.repeat(42)}`, `x${newApiKeyToken().token}`])(
  '%j is none',
  (text) => {
    expect(apiKeyPrefix(text)).toBeUndefined();
  },
);
