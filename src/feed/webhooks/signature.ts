import { createHmac, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';

/** Standard Webhooks asks for 24 to 64 bytes. */
const secretBytes = 32;
const prefix = 'whsec_';

/** A new secret, as its owner has it: `whsec_` and 32 random bytes in base64. */
export function newWebhookSecret(): string {
  return prefix + randomBytes(secretBytes).toString('base64');
}

/** The key that a secret stands for; to be kept while it is used: made of bytes at each signature, it costs five times as much. */
export function keyOf(secret: string): KeyObject {
  return createSecretKey(secret.slice(prefix.length), 'base64');
}

/**
 * The value of `webhook-signature`: for each key, HMAC-SHA256 over `id.timestamp.body`, by Standard Webhooks 1.0.0. Our
 * own few lines: the published library does SHA-256 in JavaScript; its verifier is what the tests judge by.
 */
export function signatureOf(
  { id, timestampS, body }: { readonly id: string; readonly timestampS: number; readonly body: string },
  keys: readonly KeyObject[],
): string {
  const signed = `${id}.${timestampS}.${body}`;
  return keys.map((key) => `v1,${createHmac('sha256', key).update(signed).digest('base64')}`).join(' ');
}
