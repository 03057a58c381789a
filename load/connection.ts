import { connect, type Socket } from 'node:net';
import { ResponseParser, type HttpResponse } from './response-parser.ts';

/** Where a server listens. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

export interface ConnectionEvents {
  /** The answer to the request in flight. Its body is valid during the call alone. */
  readonly onResponse: (response: HttpResponse) => void;
  /** There is no connection, or no longer. Comes once, and never after `destroy`. */
  readonly onLost: (reason: Error) => void;
  /** What was read makes no sense, or `onResponse` threw: not something that another attempt would mend. */
  readonly onBroken: (reason: unknown) => void;
}

const readBufferBytes = 16 * 1024;

/**
 * One keep-alive connection of HTTP/1.1 with at most one request in flight, over a bare socket: Node's own client
 * takes several times the processor per request, which on a small machine the server would be missing.
 */
export class Connection {
  readonly #socket: Socket;
  readonly #parser = new ResponseParser();
  readonly #events: ConnectionEvents;
  #closed = false;

  constructor({ host, port }: Target, events: ConnectionEvents) {
    this.#events = events;
    const buffer = Buffer.allocUnsafe(readBufferBytes);
    this.#socket = connect({
      host,
      port,
      noDelay: true,
      // All reads share one buffer, and no stream stands between: hardly anything is allocated for an answer.
      onread: { buffer, callback: (bytes) => this.#read(buffer.subarray(0, bytes)) },
    });
    this.#socket.on('error', (error) => {
      this.#lose(error);
    });
    this.#socket.on('close', () => {
      this.#lose(new Error('the server closed the connection'));
    });
  }

  /** A whole request, in Latin-1. */
  send(request: string): void {
    this.#socket.write(request, 'latin1');
  }

  destroy(): void {
    this.#closed = true;
    this.#socket.destroy();
  }

  #read(chunk: Buffer): boolean {
    if (this.#closed) return false;
    try {
      const response = this.#parser.push(chunk);
      if (response !== undefined) this.#events.onResponse(response);
    } catch (error) {
      this.destroy();
      this.#events.onBroken(error);
    }
    return true;
  }

  #lose(reason: Error): void {
    if (this.#closed) return;
    this.destroy();
    this.#events.onLost(reason);
  }
}
