import { hash, randomInt, timingSafeEqual } from 'node:crypto';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const prefixLength = 10;
/** 43 of 62 characters are 256 bits: nobody guesses one, so one round of SHA-256 is enough to store it by. */
const secretLength = 43;
const form = new RegExp(`^hf_([A-Za-z0-9]{${prefixLength}})_[A-Za-z0-9]{${secretLength}}$`);

/** An API key as its owner has it: `hf_<prefix>_<secret>`. It is shown once and not stored. */
export interface ApiKeyToken {
  readonly token: string;
  /** No secret: the key is found and spoken of by it. */
  readonly prefix: string;
  readonly digest: Buffer;
}

export function newApiKeyToken(): ApiKeyToken {
  const prefix = randomText(prefixLength);
  const token = `hf_${prefix}_${randomText(secretLength)}`;
  return { token, prefix, digest: digestOf(token) };
}

/** The prefix of a token that has the form of an API key. */
export function apiKeyPrefix(token: string): string | undefined {
  return form.exec(token)?.[1];
}

/** Whether a token is the key with this digest; takes the same time whether or not it is. */
export function isApiKey(token: string, digest: Buffer): boolean {
  return timingSafeEqual(digestOf(token), digest);
}

function digestOf(token: string): Buffer {
  return hash('sha256', token, 'buffer');
}

function randomText(length: number): string {
  return Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('');
}
