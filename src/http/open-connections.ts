import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Server, Socket } from 'node:net';

/**
 * The connections that a stop waits for: all that are open, but for those that stream without end. Such a stream is
 * ended in a later step of the stop, when all that it is to show has happened.
 */
export class OpenConnections {
  readonly #waitedFor = new Set<Socket>();
  readonly #onEmpty: (() => void)[] = [];
  #server: Server | undefined;

  watch(server: Server): void {
    this.#server = server;
    server.on('connection', (socket: Socket) => {
      this.#waitedFor.add(socket);
      socket.once('close', () => {
        this.leaveOut(socket);
      });
    });
  }

  /** From now on nothing but a stream goes over this connection. */
  leaveOut(socket: Socket): void {
    this.#waitedFor.delete(socket);
    if (this.#waitedFor.size > 0) return;
    for (const resolve of this.#onEmpty.splice(0)) resolve();
  }

  /** Resolves when, of those that could be waited for, none is left. To be called when the server is about to stop listening. */
  async finished(): Promise<void> {
    while (this.#server?.listening === true) await nextTurn();
    if (this.#waitedFor.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onEmpty.push(resolve);
    });
  }
}
