import { TcpProxy, type Link } from './tcp-proxy.ts';

/** Which side of a commit's arrival at the server a connection is cut on. */
export type CutAt = 'before the commit' | 'after the commit';

/**
 * Stands between a replica and its database, and cuts the connection where it hurts most. The replica must send plain
 * statements, not named ones: a commit is known by its text.
 */
export class DatabaseProxy {
  readonly #network: TcpProxy;
  readonly #databaseUrl: string;
  #armed: { readonly at: CutAt; readonly stayDown: boolean; readonly done: () => void } | undefined;
  #down = false;

  private constructor(network: TcpProxy, databaseUrl: string) {
    this.#network = network;
    this.#databaseUrl = databaseUrl;
    /** Of a connection whose commit is under way and will not be answered: what the server has said to it. */
    const silenced = new WeakMap<Link, { said: string; readonly finish: () => void }>();
    network.traffic = {
      request: (chunk, link) => {
        if (this.#down) {
          link.cut();
          return null;
        }
        const cut = /\bcommit\b/i.test(chunk.toString('latin1')) ? this.#armed : undefined;
        if (cut === undefined) return chunk;
        this.#armed = undefined;
        const finish = (): void => {
          link.cut();
          if (cut.stayDown) this.cut();
          cut.done();
        };
        if (cut.at === 'after the commit') {
          silenced.set(link, { said: '', finish });
          return chunk;
        }
        finish();
        return null;
      },
      answer: (chunk, link) => {
        const silence = silenced.get(link);
        if (silence === undefined) return chunk;
        silence.said += chunk.toString('latin1');
        // The tag of a completed commit: it has happened, and the replica will not hear of it.
        if (silence.said.includes('COMMIT\0')) silence.finish();
        return null;
      },
    };
  }

  static async before(databaseUrl: string): Promise<DatabaseProxy> {
    return new DatabaseProxy(await TcpProxy.before(databaseUrl), databaseUrl);
  }

  /** The same database, by way of the proxy. */
  get url(): string {
    return this.#network.url(this.#databaseUrl);
  }

  /** Cuts every connection, and each new one, until it is mended. */
  cut(): void {
    this.#down = true;
    this.#network.cutAll();
  }

  mend(): void {
    this.#down = false;
  }

  /** Cuts the connection of the next commit; with `stayDown` all others with it. Resolves when that has happened. */
  cutNext(at: CutAt, { stayDown }: { stayDown: boolean }): Promise<void> {
    return new Promise((done) => {
      this.#armed = { at, stayDown, done };
    });
  }
}
