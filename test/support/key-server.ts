import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';

const issuer = 'https://login.game.test';
const audience = 'holdfast';

/** Signs players in, and publishes the key that it signs with where JWT_JWKS says. */
export class KeyServer {
  readonly #server: Server;
  readonly #privateKey: CryptoKey;
  /** How often the key was asked for. */
  readonly asked: () => number;

  static async start(): Promise<KeyServer> {
    const { publicKey, privateKey } = await generateKeyPair('ES256');
    const published = JSON.stringify({
      keys: [{ ...(await exportJWK(publicKey)), alg: 'ES256' } satisfies JWK],
    });
    let count = 0;
    const server = createServer((_request, response) => {
      count += 1;
      response.setHeader('content-type', 'application/json').end(published);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new KeyServer(server, privateKey, () => count);
  }

  private constructor(server: Server, privateKey: CryptoKey, asked: () => number) {
    this.#server = server;
    this.#privateKey = privateKey;
    this.asked = asked;
  }

  /** What replicas are told so that they take its tokens. */
  get env(): Readonly<Record<string, string>> {
    const { port } = this.#server.address() as AddressInfo;
    return { JWT_JWKS: `http://127.0.0.1:${port}/keys`, JWT_ISSUER: issuer, JWT_AUDIENCE: audience };
  }

  /** A token of a player, valid for five minutes. */
  async tokenOf(account: string): Promise<string> {
    return await new SignJWT()
      .setProtectedHeader({ alg: 'ES256' })
      .setSubject(account)
      .setIssuer(issuer)
      .setAudience(audience)
      .setExpirationTime('5m')
      .sign(this.#privateKey);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
