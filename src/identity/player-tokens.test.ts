import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { exportJWK, SignJWT, UnsecuredJWT, type CryptoKey, type JWK, type KeyObject } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PlayerTokens, VerificationKeysError } from './player-tokens.ts';

const issuer = 'https://login.game.test';
const audience = 'holdfast';
const text = 'a secret of more than thirty-two characters';
const secret = new TextEncoder().encode(text);

interface Claims {
  readonly sub?: string | undefined;
  readonly iss?: string;
  readonly aud?: string;
  readonly exp?: string | number | undefined;
  readonly nbf?: number;
}

async function signed(
  claims: Claims = {},
  key: Uint8Array | CryptoKey | KeyObject = secret,
  header: { alg: string; kid?: string } = { alg: 'HS256' },
): Promise<string> {
  const { sub, iss, aud, exp, nbf } = { sub: 'p1', iss: issuer, aud: audience, exp: '5m', ...claims };
  const token = new SignJWT().setProtectedHeader(header).setIssuer(iss).setAudience(aud);
  if (sub !== undefined) token.setSubject(sub);
  if (exp !== undefined) token.setExpirationTime(exp);
  if (nbf !== undefined) token.setNotBefore(nbf);
  return await token.sign(key);
}

const known = { kind: 'known', caller: { actor: 'player:p1', role: 'player', account: 'p1' } };
const refused = (because: string) => ({ kind: 'refused', because });

describe('with a shared secret', () => {
  let tokens: PlayerTokens;

  beforeAll(async () => {
    tokens = await PlayerTokens.open({ keys: { secret: text }, issuer, audience });
  });

  test('the subject is the account', async () => {
    expect(await tokens.find(await signed())).toEqual(known);
  });

  const now = (): number => Math.floor(Date.now() / 1000);

  test.each<[string, () => Claims, string]>([
    ['has expired', () => ({ exp: now() - 60 }), 'the token has expired'],
    ['never expires', () => ({ exp: undefined }), 'the token has no claim "exp"'],
    ['is not valid yet', () => ({ nbf: now() + 600 }), 'the token’s claim "nbf" is not what it must be'],
    [
      'is another issuer’s',
      () => ({ iss: 'https://evil.test' }),
      'the token’s claim "iss" is not what it must be',
    ],
    ['is for someone else', () => ({ aud: 'other' }), 'the token’s claim "aud" is not what it must be'],
    ['names nobody', () => ({ sub: undefined }), 'the token has no claim "sub"'],
    ['names what is no account', () => ({ sub: '../p1' }), 'the token’s subject is not the id of an account'],
    ['names nothing', () => ({ sub: '' }), 'the token’s subject is not the id of an account'],
  ])('one that %s is refused', async (_what, claims, because) => {
    expect(await tokens.find(await signed(claims()))).toEqual(refused(because));
  });

  test('one signed with another secret is refused, and so is one whose claims were changed', async () => {
    const other = new TextEncoder().encode('another secret of thirty-two characters');
    expect(await tokens.find(await signed({}, other))).toEqual(refused('the token’s signature is wrong'));
    const [header = '', , signature = ''] = (await signed()).split('.');
    const [, payload = ''] = (await signed({ sub: 'p2' })).split('.');
    expect(await tokens.find(`${header}.${payload}.${signature}`)).toEqual(
      refused('the token’s signature is wrong'),
    );
  });

  test('one that is not signed, or in another way, is refused', async () => {
    const unsecured = new UnsecuredJWT({ sub: 'p1' }).setIssuer(issuer).setAudience(audience);
    const bare = unsecured.setExpirationTime('5m').encode();
    expect(await tokens.find(bare)).toMatchObject({ kind: 'refused' });
    expect(await tokens.find(await signed({}, secret, { alg: 'HS512' }))).toEqual(
      refused('the token is signed with an algorithm that is not taken'),
    );
    expect(await tokens.find('a.b.c')).toEqual(refused('the token is not a valid JSON Web Token'));
  });
});

describe('with public keys', () => {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const later = generateKeyPairSync('ed25519');
  let published: { keys: JWK[] };
  let folder: string;
  let file: string;
  let server: Server;
  let url: string;
  let status = 200;
  let fetches = 0;

  beforeAll(async () => {
    published = { keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'one', use: 'sig' }] };
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-jwks-'));
    file = path.join(folder, 'jwks.json');
    await writeFile(file, JSON.stringify(published));
    server = createServer((_request, response) => {
      fetches += 1;
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(published));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;
  });

  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true });
  });

  test('of a file', async () => {
    const tokens = await PlayerTokens.open({ keys: { jwks: file }, issuer, audience });
    expect(await tokens.find(await signed({}, pair.privateKey, { alg: 'RS256', kid: 'one' }))).toEqual(known);
    const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    expect(await tokens.find(await signed({}, stranger, { alg: 'RS256', kid: 'one' }))).toEqual(
      refused('the token’s signature is wrong'),
    );
    expect(await tokens.find(await signed({}, pair.privateKey, { alg: 'RS256', kid: 'two' }))).toEqual(
      refused('the token does not name one of the keys that tokens are signed with'),
    );
  });

  test('a public key is no secret to sign with', async () => {
    const tokens = await PlayerTokens.open({ keys: { jwks: file }, issuer, audience });
    const pem = pair.publicKey.export({ type: 'spki', format: 'pem' });
    const forged = await signed({}, new TextEncoder().encode(String(pem)), { alg: 'HS256', kid: 'one' });
    expect(await tokens.find(forged)).toEqual(
      refused('the token is signed with an algorithm that is not taken'),
    );
  });

  test('a file that is none is a fault at the start', async () => {
    const nothing = path.join(folder, 'nothing.json');
    await writeFile(nothing, '{"keys": 7}');
    for (const jwks of [nothing, path.join(folder, 'missing.json')])
      await expect(PlayerTokens.open({ keys: { jwks }, issuer, audience })).rejects.toThrow(
        `JWT_JWKS: ${jwks} can’t be read as a JSON Web Key Set`,
      );
  });

  test('of a URL: fetched once, and what can’t be fetched is no fault of the token', async () => {
    const tokens = await PlayerTokens.open({ keys: { jwks: url }, issuer, audience });
    const token = await signed({}, pair.privateKey, { alg: 'RS256', kid: 'one' });
    status = 503;
    await expect(tokens.find(token)).rejects.toBeInstanceOf(VerificationKeysError);
    status = 200;
    fetches = 0;
    expect(await tokens.find(token)).toEqual(known);
    expect(await tokens.find(token)).toEqual(known);
    expect(fetches).toBe(1);
  });

  test('another algorithm of the same set is taken as well', async () => {
    published.keys.push({ ...(await exportJWK(later.publicKey)), kid: 'later' });
    const tokens = await PlayerTokens.open({ keys: { jwks: url }, issuer, audience });
    expect(await tokens.find(await signed({}, later.privateKey, { alg: 'EdDSA', kid: 'later' }))).toEqual(
      known,
    );
  });
});
