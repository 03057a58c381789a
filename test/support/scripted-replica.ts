import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

/** Something that listens where a replica would, and does with each request what the test says. */
export class ScriptedReplica {
  /** What it was asked: method, path and key, in order. The checks of load balancers are not among them. */
  readonly asked: string[] = [];
  readonly #server;

  static async on(
    port: number,
    answer: (request: IncomingMessage, response: ServerResponse) => void,
  ): Promise<ScriptedReplica> {
    const replica = new ScriptedReplica(answer);
    replica.#server.listen(port, '127.0.0.1');
    await once(replica.#server, 'listening');
    return replica;
  }

  private constructor(answer: (request: IncomingMessage, response: ServerResponse) => void) {
    this.#server = createServer((request, response) => {
      if (request.url === '/readyz') {
        response.end('{"status":"ready"}');
        return;
      }
      const key = request.headers['idempotency-key'];
      this.asked.push([request.method, request.url, key].filter((part) => part !== undefined).join(' '));
      // Only when all of it is there: it could have been applied.
      request.resume().once('end', () => {
        answer(request, response);
      });
    });
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
