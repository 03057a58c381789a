import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Socket } from 'node:net';
import { connect, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node';

const opening = new AsyncLocalStorage<(socket: Socket) => void>();

/**
 * Connects, and leaves no socket behind when it fails or the signal aborts. By itself the library forgets the socket to a
 * server that took the connection and then said nothing: it would stay open until that server ends it, and keep us alive.
 */
export async function connectOrClose(
  options: NodeConnectionOptions,
  signal: AbortSignal,
): Promise<NatsConnection> {
  const sockets: Socket[] = [];
  const closeAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const opened = (socket: Socket): void => {
    sockets.push(socket);
    if (signal.aborted) socket.destroy();
  };
  subscribe('net.client.socket', onSocket);
  signal.addEventListener('abort', closeAll, { once: true });
  try {
    signal.throwIfAborted();
    return await opening.run(opened, async () => await connect(options));
  } catch (error) {
    closeAll();
    throw error;
  } finally {
    signal.removeEventListener('abort', closeAll);
    unsubscribe('net.client.socket', onSocket);
  }
}

/** Told of every socket of this process: those that a connection of ours opens are known by the context that they are opened in. */
function onSocket(message: unknown): void {
  const note = opening.getStore();
  if (note === undefined || typeof message !== 'object' || message === null) return;
  if ('socket' in message && message.socket instanceof Socket) note(message.socket);
}
