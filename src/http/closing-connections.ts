import type { Socket } from 'node:net';
import type { TypedApp } from './typed-app.ts';

/**
 * Lets go of connections on the way down. From when the stop begins, each answer tells its client to use another
 * connection next; so none is left idle, to be closed just when a request is sent over it. Those over which no request
 * ever came are closed with the app: browsers and load balancers open some ahead, and Node would wait for them.
 */
export function useClosingConnections(app: TypedApp, { stopping }: { stopping: () => boolean }): void {
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (stopping()) reply.header('connection', 'close');
    done(null, payload);
  });

  const unused = new Set<Socket>();
  let closing = false;
  app.server.on('connection', (socket: Socket) => {
    if (closing) {
      socket.destroy();
      return;
    }
    unused.add(socket);
    socket.once('close', () => unused.delete(socket));
  });
  app.server.on('request', ({ socket }) => unused.delete(socket));
  app.addHook('preClose', (done) => {
    closing = true;
    // One that has begun to send a request is waited for, as long as a client may take to send one.
    for (const socket of unused) if (socket.bytesRead === 0) socket.destroy();
    done();
  });
}
