import { once } from 'node:events';
import { createServer, connect, type Server, type Socket } from 'node:net';

/** A connection through the proxy. */
export interface Link {
  /** Breaks it for both sides. */
  cut(): void;
}

/** What the proxy does with what passes: each answers what is passed on in its place. Default: everything, as it is. */
export interface Traffic {
  request?: (chunk: Buffer, link: Link) => Buffer | null;
  answer?: (chunk: Buffer, link: Link) => Buffer | null;
}

/**
 * A network between a replica and its PostgreSQL that tests can break at the moment they choose. What `pg` sends in one
 * flush passes as one chunk, and a statement is known in it by its name.
 */
export class TcpProxy {
  /** May be exchanged at any time. */
  traffic: Traffic = {};
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #target: { host: string; port: number };

  /** Stands before the server of this database. */
  static async before(databaseUrl: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(addressOf(databaseUrl));
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  private constructor(target: { host: string; port: number }) {
    this.#target = target;
    this.#server = createServer((client) => this.#link(client, connect(this.#target)));
  }

  /** From now on new connections go to another server: a virtual address that has moved. */
  retarget(databaseUrl: string): void {
    this.#target = addressOf(databaseUrl);
  }

  /** The database's address through the proxy. */
  url(databaseUrl: string): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    const url = new URL(databaseUrl);
    url.hostname = '127.0.0.1';
    url.port = String(address.port);
    return url.href;
  }

  /** Breaks all connections that there are now. */
  cutAll(): void {
    for (const link of [...this.#links]) link.cut();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cutAll();
    await closed;
  }

  #link(client: Socket, server: Socket): void {
    const link = {
      cut: () => {
        this.#links.delete(link);
        client.destroy();
        server.destroy();
      },
    };
    this.#links.add(link);
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', link.cut);
      socket.on('close', link.cut);
    }
    client.on('data', (chunk) => {
      const passed = this.traffic.request === undefined ? chunk : this.traffic.request(chunk, link);
      if (passed !== null && server.writable) server.write(passed);
    });
    server.on('data', (chunk) => {
      const passed = this.traffic.answer === undefined ? chunk : this.traffic.answer(chunk, link);
      if (passed !== null && client.writable) client.write(passed);
    });
  }
}

function addressOf(databaseUrl: string): { host: string; port: number } {
  const { hostname, port } = new URL(databaseUrl);
  return { host: hostname, port: Number(port) };
}

/** The chunk with one text in place of another of the same length, so that no message changes its own. */
export function rewritten(chunk: Buffer, from: string, to: string): Buffer {
  if (from.length !== to.length) throw new Error('a message says how long it is');
  return Buffer.from(chunk.toString('latin1').replaceAll(from, to), 'latin1');
}
