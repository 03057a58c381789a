import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { keyOf, newWebhookSecret, signatureOf } from './signature.ts';

const id = '0199a7c2-0000-7000-8000-000000000000';
const body = '{"name":"Schwert, größer 🗡️"}';

test('the published library takes what is signed, under each secret that signs, and under no other', () => {
  const timestampS = Math.floor(Date.now() / 1000);
  const [one, other, stranger] = [newWebhookSecret(), newWebhookSecret(), newWebhookSecret()];
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': String(timestampS),
    'webhook-signature': signatureOf({ id, timestampS, body }, [keyOf(one), keyOf(other)]),
  };
  for (const secret of [one, other])
    expect(new Webhook(secret).verify(body, headers)).toEqual(JSON.parse(body));
  expect(() => new Webhook(stranger).verify(body, headers)).toThrow('No matching signature');
  for (const changed of [
    { ...headers, 'webhook-id': id.replace('0', '1') },
    { ...headers, 'webhook-timestamp': String(timestampS - 1) },
  ])
    expect(() => new Webhook(one).verify(body, changed)).toThrow('No matching signature');
  expect(() => new Webhook(one).verify(`${body} `, headers)).toThrow('No matching signature');
});

test('it is the same signature, to the letter, as the library’s own', () => {
  const secret = newWebhookSecret();
  const timestampS = 1_800_000_000;
  expect(signatureOf({ id, timestampS, body }, [keyOf(secret)])).toBe(
    new Webhook(secret).sign(id, new Date(timestampS * 1000), body),
  );
});

test('a secret is new each time, and has 32 random bytes', () => {
  const secrets = Array.from({ length: 100 }, newWebhookSecret);
  expect(new Set(secrets).size).toBe(100);
  for (const secret of secrets) {
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(keyOf(secret).symmetricKeySize).toBe(32);
  }
});
