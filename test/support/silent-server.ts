import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Takes requests, and never answers. */
export class SilentServer {
  readonly url: string;
  /** Those that it has taken, and that wait. */
  waiting = 0;
  readonly #server: Server;

  static async start(): Promise<SilentServer> {
    const server = createServer((_request, response) => {
      silent.waiting += 1;
      response.on('close', () => {
        silent.waiting -= 1;
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const silent = new SilentServer(server);
    return silent;
  }

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
