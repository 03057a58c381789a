import type { Socket } from 'node:net';
import type { TypedApp } from './typed-app.ts';

/** In that time what a client has sent with its connection is there. */
const firstBytesMsMax = 200;

/**
 * Lets go of connections on the way down. From when the stop begins, each answer tells its client to use another
 * connection next; so none is left idle, to be closed just when a request is sent over it. Those over which no request
 * ever came are closed soon after: browsers and load balancers open some ahead, and Node would wait for them. Not at
 * once: one that was just accepted has its request on the way, which could not be told from one that was carried out.
 */
export function useClosingConnections(app: TypedApp, { stopping }: { stopping: () => boolean }): void {
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (stopping()) reply.header('connection', 'close');
    done(null, payload);
  });

  const unused = new Set<Socket>();
  let closing = false;
  app.server.on('connection', (socket: Socket) => {
    unused.add(socket);
    socket.once('close', () => unused.delete(socket));
    if (closing) closeUnlessUsed(socket);
  });
  app.server.on('request', ({ socket }) => unused.delete(socket));
  app.addHook('preClose', (done) => {
    closing = true;
    for (const socket of unused) closeUnlessUsed(socket);
    // Just after the loop has accepted all that wait to be: those that still do when the port is closed are reset.
    setImmediate(done);
  });
}

/** One that has begun to send a request is waited for, as long as a client may take to send one. */
function closeUnlessUsed(socket: Socket): void {
  setTimeout(() => {
    if (socket.bytesRead === 0) socket.destroy();
  }, firstBytesMsMax);
}
