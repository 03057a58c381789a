import { Server } from 'node:net';
import type { TypedApp } from './typed-app.ts';

/**
 * Accepts no connection from now on, and resolves when the last of those that are open has ended. They are left as they
 * are: closing the server the way of HTTP would also end the idle ones, over which a request may just be on its way.
 */
export async function stopListening({ server }: TypedApp): Promise<void> {
  await new Promise<void>((resolve) => {
    Server.prototype.close.call(server, () => {
      resolve();
    });
  });
}
