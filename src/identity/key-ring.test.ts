import { beforeEach, expect, test } from 'vitest';
import type { StoredApiKey } from '../repository/api-keys.ts';
import { UnavailableError } from '../repository/errors.ts';
import { newApiKeyToken } from './api-key-token.ts';
import { KeyRing, keyLeaseMs } from './key-ring.ts';

const { token, prefix, digest } = newApiKeyToken();
const caller = { actor: 'key:shop', role: 'service', account: null };

/** The keys that there are, and a database whose answers a test can hold back. */
let stored: Map<string, StoredApiKey>;
let asked: string[];
let nowMs: number;
let used: string[];
let answered: () => Promise<void>;
let ring: KeyRing;

beforeEach(() => {
  stored = new Map([[prefix, storedKey()]]);
  asked = [];
  used = [];
  nowMs = 0;
  answered = () => Promise.resolve();
  ring = new KeyRing({
    keys: {
      byPrefix: async (wanted) => {
        asked.push(wanted);
        const found = stored.get(wanted);
        await answered();
        return found;
      },
    },
    noteUse: (id) => used.push(id),
    clock: () => nowMs,
  });
});

function storedKey(rest: Partial<StoredApiKey> = {}): StoredApiKey {
  const times = { createdAtMs: 0, lastUsedAtMs: null, useIsStale: false };
  return { id: 'key-1', name: 'shop', role: 'service', account: null, prefix, digest, ...times, ...rest };
}

test('however many requests, it costs one read a lease', async () => {
  expect(await Promise.all(Array.from({ length: 50 }, () => ring.find(token)))).toEqual(
    Array.from({ length: 50 }, () => caller),
  );
  nowMs = keyLeaseMs - 1;
  await ring.find(token);
  expect(asked).toHaveLength(1);
  nowMs = keyLeaseMs;
  await ring.find(token);
  expect(asked).toHaveLength(2);
});

test('a revoked key is refused when the lease is over', async () => {
  await ring.find(token);
  stored.clear();
  nowMs = keyLeaseMs;
  expect(await ring.find(token)).toBeUndefined();
});

test('an answer that took longer than a lease is not believed: the key may have been revoked since', async () => {
  answered = () => {
    nowMs += keyLeaseMs;
    stored.clear();
    answered = () => Promise.resolve();
    return Promise.resolve();
  };
  expect(await ring.find(token)).toBeUndefined();
  expect(asked).toHaveLength(2);
});

test('a database that is always that slow is asked only so often', async () => {
  answered = () => {
    nowMs += keyLeaseMs;
    return Promise.resolve();
  };
  await expect(ring.find(token)).rejects.toBeInstanceOf(UnavailableError);
  expect(asked).toHaveLength(3);
});

test('the right prefix with another secret is nobody’s, and no use of the key', async () => {
  stored.set(prefix, storedKey({ useIsStale: true }));
  expect(await ring.find(`${token.slice(0, -1)}${token.endsWith('a') ? 'b' : 'a'}`)).toBeUndefined();
  expect(used).toEqual([]);
});

test('what has not the form of a key is not looked up', async () => {
  expect(await ring.find('hf_guess')).toBeUndefined();
  expect(asked).toEqual([]);
});

test('that there is no such key is remembered as well', async () => {
  stored.clear();
  expect(await ring.find(token)).toBeUndefined();
  expect(await ring.find(token)).toBeUndefined();
  expect(asked).toHaveLength(1);
});

test('a read that failed is not remembered', async () => {
  const lost = new UnavailableError('gone');
  answered = () => Promise.reject(lost);
  await expect(ring.find(token)).rejects.toBe(lost);
  answered = () => Promise.resolve();
  expect(await ring.find(token)).toEqual(caller);
});

test('a use that is worth noting is noted once a lease', async () => {
  stored.set(prefix, storedKey({ useIsStale: true }));
  await ring.find(token);
  await ring.find(token);
  expect(used).toEqual(['key-1']);
  stored.set(prefix, storedKey({ useIsStale: false }));
  nowMs = keyLeaseMs;
  await ring.find(token);
  expect(used).toEqual(['key-1']);
});

test('only so many prefixes are remembered; the longest unasked is forgotten first', async () => {
  await ring.find(token);
  for (let i = 0; i < 10_000; i += 1) await ring.find(newApiKeyToken().token);
  expect(asked).toHaveLength(10_001);
  await ring.find(token);
  expect(asked.at(-1)).toBe(prefix);
  expect(asked).toHaveLength(10_002);
});
