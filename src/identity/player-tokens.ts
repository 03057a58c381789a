import { createSecretKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  jwtVerify,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
} from 'jose';
import { isIdentifier } from '../domain/identifier.ts';
import { known, refused, type Identified } from './caller.ts';

export interface PlayerTokenSettings {
  /** A secret shared with who signs, or where the public keys of who signs are: a file or a URL. */
  readonly keys: { readonly secret: string } | { readonly jwks: string };
  readonly issuer: string;
  readonly audience: string;
}

/** The keys that tokens are verified with can't be had: nothing is known of the token. */
export class VerificationKeysError extends Error {
  override name = 'VerificationKeysError';
}

/** For clocks that differ a little. */
const clockToleranceSeconds = 5;
const fetchTimeoutMs = 3000;
/** Keys that a token asks for and that are not among those fetched are fetched again, not more often than this. */
const fetchCooldownMs = 30_000;

/**
 * Verifies the tokens of players (RFC 7519): signature, issuer, audience and expiry, none of which may be missing. The
 * algorithm is never the token's choice: HMAC only with the secret, signatures only with public keys (RFC 8725, section 3.1).
 */
export class PlayerTokens {
  readonly #verify: (token: string) => Promise<{ sub?: string | undefined }>;

  /** Reads a file of keys at once; fetches a URL's when the first token comes, and again when they change. */
  static async open({ keys, issuer, audience }: PlayerTokenSettings): Promise<PlayerTokens> {
    const claims = {
      issuer,
      audience,
      clockTolerance: clockToleranceSeconds,
      requiredClaims: ['sub', 'exp'],
    };
    if ('secret' in keys) {
      const secret = createSecretKey(keys.secret, 'utf8');
      return new PlayerTokens(async (token) => {
        const options = { ...claims, algorithms: ['HS256'] };
        return (await jwtVerify(token, secret, options)).payload;
      });
    }
    const key = await publicKeys(keys.jwks);
    return new PlayerTokens(async (token) => {
      const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512'];
      const options = { ...claims, algorithms: [...algorithms, 'EdDSA', 'Ed25519'] };
      return (await jwtVerify(token, key, options)).payload;
    });
  }

  private constructor(verify: (token: string) => Promise<{ sub?: string | undefined }>) {
    this.#verify = verify;
  }

  /** Throws a `VerificationKeysError` where the keys can't be had now. */
  async find(token: string): Promise<Identified> {
    try {
      const { sub = '' } = await this.#verify(token);
      if (!isIdentifier(sub)) return refused('the token’s subject is not the id of an account');
      return known({ actor: `player:${sub}`, role: 'player', account: sub });
    } catch (error) {
      const because = faultOf(error);
      if (because === undefined)
        throw new VerificationKeysError('the keys of player tokens can’t be had', { cause: error });
      return refused(because);
    }
  }
}

async function publicKeys(place: string): Promise<JWTVerifyGetKey> {
  if (/^https?:/.test(place)) {
    return createRemoteJWKSet(new URL(place), {
      timeoutDuration: fetchTimeoutMs,
      cooldownDuration: fetchCooldownMs,
      // Asked for so rarely that a connection is not worth keeping, and a stop would have to close it.
      headers: { connection: 'close' },
    });
  }
  try {
    // Checked by the library, which throws where it is not a key set.
    return createLocalJWKSet(JSON.parse(await readFile(place, 'utf8')) as JSONWebKeySet);
  } catch (error) {
    throw new VerificationKeysError(`JWT_JWKS: ${place} can’t be read as a JSON Web Key Set`, {
      cause: error,
    });
  }
}

/** What is wrong with the token itself, for who sent it; undefined: the token is not at fault. */
function faultOf(error: unknown): string | undefined {
  if (error instanceof errors.JWTExpired) return 'the token has expired';
  if (error instanceof errors.JWTClaimValidationFailed)
    return error.reason === 'missing'
      ? `the token has no claim "${error.claim}"`
      : `the token’s claim "${error.claim}" is not what it must be`;
  if (error instanceof errors.JOSEAlgNotAllowed)
    return 'the token is signed with an algorithm that is not taken';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'the token’s signature is wrong';
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
    return 'the token does not name one of the keys that tokens are signed with';
  if (
    error instanceof errors.JWSInvalid ||
    error instanceof errors.JWTInvalid ||
    error instanceof errors.JOSENotSupported
  )
    return 'the token is not a valid JSON Web Token';
  return undefined;
}
