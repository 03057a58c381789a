import { SignJWT } from 'jose';
import { Api } from './api.ts';
import { ok } from './resources.ts';

/** An API key as the contract shows it when it is made. */
export interface NewKey {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  readonly account: string | null;
  readonly prefix: string;
  readonly createdAt: string;
  readonly lastUsedAt: string | null;
  readonly secret: string;
}

/** Makes a key. */
export async function makeKey(
  admin: Api,
  body: { readonly name: string; readonly role: string; readonly account?: string },
): Promise<NewKey> {
  return ok<NewKey>(await admin.post('/v1/api-keys', body), 201);
}

/** Another caller of the same replica. */
export function callerWith(api: Api, token: string): Api {
  return new Api({ url: api.url, token, published: api.published });
}

/** What replicas are told so that they take the tokens of `playerToken`. */
export const playerTokenEnv = {
  JWT_SECRET: 'only-tests-sign-with-this-0123456789',
  JWT_ISSUER: 'https://login.game.test',
  JWT_AUDIENCE: 'holdfast',
};

/** A token of a player, valid for five minutes. */
export async function playerToken(account: string): Promise<string> {
  return await new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(account)
    .setIssuer(playerTokenEnv.JWT_ISSUER)
    .setAudience(playerTokenEnv.JWT_AUDIENCE)
    .setExpirationTime('5m')
    .sign(new TextEncoder().encode(playerTokenEnv.JWT_SECRET));
}
